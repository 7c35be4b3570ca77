"""The HTTP API and the pages: declare, authenticate, parse, call a service, reply."""
