"""Notes: drafted by calls, finished by people, with what they lead to."""
