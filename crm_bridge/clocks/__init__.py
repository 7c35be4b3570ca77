"""Everything that is due: one mechanism of deadlines, working time, and who is told."""
