"""Quality audit: forms to score by, samples that nobody can steer (S33, S54), reviews and the clocks of findings (S47, S55)."""
