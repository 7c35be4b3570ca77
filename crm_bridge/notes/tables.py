"""What notes lead to: action codes and export columns of each client, promises and call-backs, places of numbers."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from config.schema import Document, UtcDateTime, metadata

action_code_sets = Table(
    "action_code_sets",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("codes", Document, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

commitments = Table(
    "commitments",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(12), nullable=False),  # promise | call_back
    Column("state", String(12), nullable=False),  # open | kept | broken | done | withdrawn
    Column("client", String(128), nullable=False),
    Column("case_id", String(128), ForeignKey("cases.id"), nullable=False),
    Column("party_id", String(128)),
    Column("number", String(20)),
    Column("call_id", String(32)),
    Column("collector", String(128)),
    Column("day", String(10), nullable=False),  # the promised day, or the day of the call
    Column("at", UtcDateTime),  # of a call-back
    Column("amount", String(16)),
    Column("currency", String(3)),
    Column("made_at", UtcDateTime, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_by", String(128)),
    Column("reason", Text),
    Index("ix_commitments_case", "case_id", "id"),
    Index("ix_commitments_open", "state", "day"),
    Index("ix_commitments_call", "call_id"),
)

number_places = Table(
    "number_places",
    metadata,
    Column("e164", String(20), primary_key=True),
    Column("region", Document, nullable=False),  # {"en", "zh"}
    Column("carrier", Document, nullable=False),
    Column("looked_up_at", UtcDateTime, nullable=False),
)

note_templates = Table(
    "note_templates",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("columns", Document, nullable=False),
    Column("encoding", String(16), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)
