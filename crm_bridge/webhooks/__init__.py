"""Standard Webhooks: who asked for which events, how a message is signed, and where one may not be sent."""
