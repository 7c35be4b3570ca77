"""Cases in from a client's file: read in a process of its own, checked row by row, tried without writing, written in batches."""
