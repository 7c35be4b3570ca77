"""Connectors: where each CRM is and how it is read, what was read of it, what two sides say differently, and notes sent."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from config.schema import Document, UtcDateTime, metadata
from crm_bridge.outbox.tables import destinations

connectors = Table(
    "connectors",
    metadata,
    Column("id", String(32), ForeignKey(destinations.c.id), primary_key=True),
    Column("kind", String(16), nullable=False),  # tryton
    Column("url", Text, nullable=False),
    Column("database", String(64), nullable=False),
    Column("token", Text, nullable=False),  # sealed
    Column("client", String(128), nullable=False),  # whose cases it brings
    Column("mapping", Document, nullable=False),
    Column("minutes", Integer),  # between pulls; null: only when asked
    Column("due_at", UtcDateTime),  # of the next pull
    Column("attempts", Integer, nullable=False),  # claims, so that one whose lease ended writes nothing more
    Column("full_at", UtcDateTime),  # when everything is read again, whatever its date
    Column("cursor", String(32)),  # the CRM's own time up to which changes were read
    Column("run", Document),  # the pull under way: where it stands
    Column("pulled_at", UtcDateTime),  # the last pull that was seen through
    Column("pulled", Document),  # its counts
    Column("pull_error", Text),  # why the last one was not
    Column("failing_since", UtcDateTime),
)

records = Table(
    "connector_records",
    metadata,
    Column("connector_id", String(32), ForeignKey("connectors.id"), primary_key=True),
    Column("record", String(64), primary_key=True),  # the CRM's id of it
    Column("case_id", String(128)),  # null while it could not become one
    Column("digest", String(64), nullable=False),  # of what was read: the same again is nothing new
    Column("parts", String(64), nullable=False),  # of the ids of its party's numbers: a removed one leaves no date
    Column("base", Document, nullable=False),  # the case's fields as the CRM said them last
    Column("seen_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    Index("ix_connector_records_case", "case_id"),
)

conflicts = Table(
    "connector_conflicts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("connector_id", String(32), ForeignKey("connectors.id"), nullable=False),
    Column("key", String(255), nullable=False),  # what it is about: the same is not told twice
    Column("code", String(32), nullable=False),
    Column("record", String(64), nullable=False),
    Column("case_id", String(128)),
    Column("field", String(64)),
    Column("theirs", Text),
    Column("ours", Text),
    Column("what", Text, nullable=False),
    Column("what_zh", Text, nullable=False),
    Column("state", String(8), nullable=False),  # open | gone (it is so no more) | ours | theirs (somebody decided)
    Column("found_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_by", String(128)),
    Index("ix_connector_conflicts_open", "connector_id", "state", "id"),
    Index("ix_connector_conflicts_key", "connector_id", "key", "state"),
)

sent_notes = Table(
    "connector_notes",
    metadata,
    Column("item_id", String(32), primary_key=True),
    Column("connector_id", String(32), ForeignKey("connectors.id"), nullable=False),
    Column("note_id", String(32)),  # ours; a correction of it is another item
    Column("sent_at", UtcDateTime, nullable=False),  # written down before it goes out
    Column("remote_id", String(64)),  # null until the CRM said so
    Index("ix_connector_notes_sent", "connector_id", "sent_at"),
    Index("ix_connector_notes_note", "connector_id", "note_id"),
)
