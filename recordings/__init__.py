"""Recordings as evidence: intake from the spool, archive, completeness and replay."""
