"""What the embedding keeps: where a client's cases are in its CRM."""

from sqlalchemy import Column, String, Table

from config.schema import UtcDateTime, metadata

screen_pop_links = Table(
    "screen_pop_links",
    metadata,
    Column("client", String(128), primary_key=True),  # "*": every client without a line of its own
    Column("template", String(1024), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
