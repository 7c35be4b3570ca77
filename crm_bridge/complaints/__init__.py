"""Complaints: opened, led up their ladder, ruled on, instructed, and reported."""
