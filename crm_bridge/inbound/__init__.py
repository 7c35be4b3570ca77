"""Inbound calls at the desk: routes, matching, the right page, and whom to call back."""
