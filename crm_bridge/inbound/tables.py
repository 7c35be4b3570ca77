"""What the desk keeps for inbound calls: routes by called number, groups of collectors, and whom to call back."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, text

from config.schema import Document, UtcDateTime, metadata

_DUE = text("state = 'due'")

agent_groups = Table(
    "agent_groups",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("members", Document, nullable=False),  # names of users, in the order in which they are rung
    Column("ring", String(16), nullable=False),  # together | in_turn
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

inbound_routes = Table(
    "inbound_routes",
    metadata,
    Column("did", String(20), primary_key=True),  # E.164, or the digits of a number that has no such form
    Column("to", String(16), nullable=False),  # owner | group | extension
    Column("target", String(64)),
    Column("hours", Document),  # bands of the day; null: always open
    Column("zone", String(64), nullable=False),
    Column("overflow", Document, nullable=False),  # [{to, target}] in turn
    Column("ring_seconds", Integer, nullable=False),
    Column("announcement", String(128)),
    Column("closed_message", String(128)),
    Column("client", String(128)),
    Column("enabled", Boolean, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

call_backs = Table(
    "call_backs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call_id", String(32), ForeignKey("calls.id"), nullable=False),  # the newest missed call
    Column("number", String(20), nullable=False),
    Column("case_id", String(128)),  # null while several cases hold the number, or none does
    Column("party_id", String(128)),
    Column("client", String(128)),
    Column("agent", String(128)),  # whose task it is; null: anybody's
    Column("missed", Integer, nullable=False),  # how often the number called in vain since
    Column("missed_at", UtcDateTime, nullable=False),  # when last
    Column("due_at", UtcDateTime, nullable=False),
    Column("state", String(8), nullable=False),  # due | done | dropped
    Column("done_at", UtcDateTime),
    Column("done_by", String(128)),
    Column("done_call", String(32)),
    Column("reason", String(255)),
    # One task a number while it is due, whichever process makes it.
    Index("ix_call_backs_due", "number", unique=True, sqlite_where=_DUE, postgresql_where=_DUE),
    Index("ix_call_backs_agent", "agent", "state"),
    Index("ix_call_backs_case", "case_id"),
)
