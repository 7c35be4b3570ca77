"""What the desk keeps of the people on both ends: who answered a call, what a collector is doing, scripts, reveals."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, String, Table, Text

from config.schema import UtcDateTime, metadata

right_parties = Table(
    "right_parties",
    metadata,
    Column("call_id", String(32), ForeignKey("calls.id"), primary_key=True),  # the newest answer; the journal has all
    Column("answer", String(16), nullable=False),  # debtor | third_party | unknown
    Column("party_id", String(128)),
    Column("relation", String(16)),
    Column("wrong_number", Boolean, nullable=False),
    Column("note", Text),
    Column("by", String(128), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_right_parties_by", "by", "at"),
)

third_party_scripts = Table(
    "third_party_scripts",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

agent_states = Table(
    "agent_states",
    metadata,
    Column("agent", String(128), ForeignKey("users.name"), primary_key=True),
    Column("state", String(8), nullable=False),  # ready | busy | wrap_up | away
    Column("chosen", String(8), nullable=False),  # ready | busy | away: what follows the call and its wrap-up
    Column("reason", String(255)),
    Column("since", UtcDateTime, nullable=False),
    Column("call_id", String(32)),
    Column("due_at", UtcDateTime),  # when the wrap-up ends by itself
    Index("ix_agent_states_due", "due_at"),
)
