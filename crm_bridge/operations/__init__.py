"""Running it: the doctor, backup and restore, configuration as code."""
