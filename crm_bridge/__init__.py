"""The desk: cases, notes, users, the HTTP API and pages, and the composition root that ties the house together."""
