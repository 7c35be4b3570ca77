"""A call from its row to its end: followed by events, settled after silence, closed once."""
