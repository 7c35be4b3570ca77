"""Who may ask, what they may see, and what they are doing."""
