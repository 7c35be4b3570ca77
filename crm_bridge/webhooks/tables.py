"""Webhooks: where each sends to, and its secrets, sealed under the master key."""

from sqlalchemy import Column, ForeignKey, String, Table, Text

from config.schema import UtcDateTime, metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(32), ForeignKey("outbox_destinations.id"), primary_key=True),
    Column("url", Text, nullable=False),
    Column("shown_as", String(16), nullable=False),  # the role by whose masks the payload goes
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),  # signs beside the new one
    Column("old_until", UtcDateTime),
)
