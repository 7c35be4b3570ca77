"""What people do on a live call: hold, mute, digits, pause, transfer; and who talks with whom."""
