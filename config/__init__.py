"""Ground floor: settings, database, journal, deadlines, clock and errors. Imports nothing of the house above it."""
