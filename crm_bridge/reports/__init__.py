"""What was done in a period, in figures that anyone can work out again from the API: docs/reports.md defines each."""
