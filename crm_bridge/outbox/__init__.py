"""What leaves the house: events and notes on their way to webhooks and CRMs, each told at least once and in order."""
