"""Calls from outside: where they go, who is rung, and what happened while the service was away."""
