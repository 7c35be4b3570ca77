"""What telephony keeps: calls and their legs, decisions, the contact history that caps count, trunks, policies."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text

from config.schema import Document, UtcDateTime, metadata

_OPEN = text("ended_at IS NULL")

calls = Table(
    "calls",
    metadata,
    Column("id", String(32), primary_key=True),  # also the ChannelId, hence Uniqueid, of the agent leg
    Column("direction", String(8), nullable=False),
    Column("state", String(20), nullable=False),
    Column("end_reason", String(20)),
    Column("outcome", String(20)),
    Column("agent", String(128), nullable=False),
    Column("role", String(16), nullable=False),  # of the agent, at the click
    Column("extension", String(32), nullable=False),
    Column("client", String(128)),
    Column("case_id", String(128)),
    Column("party_id", String(128)),
    Column("number", String(20), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("pbx", String(32), nullable=False),
    Column("uniqueid", String(64), nullable=False),
    Column("trunk", String(64)),
    Column("caller_id", String(20)),
    Column("decision_id", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("calling_agent_at", UtcDateTime),
    Column("calling_customer_at", UtcDateTime),
    Column("alerted_at", UtcDateTime),
    Column("connected_at", UtcDateTime),
    Column("unknown_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("hangup_cause", Integer),
    Column("tech_cause", String(64)),
    Column("hangup_by", String(128)),  # who asked for the hang-up on our side, before it happened
    Column("denial", Document),  # the gate's refusal, when it refused what the click was allowed
    Column("override", Document),  # the supervisor's leave that the call needed: {by, reason, expires_at, rules}
    Column("violations", Document, nullable=False),
    Column("disposition", Document),
    Index("ix_calls_agent_open", "agent", "ended_at"),
    # Without it the click reads every call ever made on the PBX to see whether the phone is taken.
    Index("ix_calls_open", "pbx", "extension", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_calls_case", "case_id", "created_at"),
    Index("ix_calls_created", "created_at"),
    Index("ix_calls_pbx_uniqueid", "pbx", "uniqueid", unique=True),
)

legs = Table(
    "legs",
    metadata,
    Column("pbx", String(32), primary_key=True),
    Column("uniqueid", String(64), primary_key=True),
    Column("call_id", String(32), ForeignKey("calls.id"), nullable=False),
    Column("role", String(16), nullable=False),  # agent | customer
    Column("channel", String(128), nullable=False),
    Column("trunk", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("alerted_at", UtcDateTime),
    Column("answered_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("dial_status", String(16)),  # of DialEnd: ANSWER, CANCEL (the caller gave up), NOANSWER, …
    Column("hangup_cause", Integer),
    Column("tech_cause", String(64)),
    Index("ix_legs_call", "call_id"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(8), nullable=False),  # click | gate | check
    Column("call_id", String(32)),
    Column("case_id", String(128)),
    Column("agent", String(128), nullable=False),
    Column("verdict", String(8), nullable=False),
    Column("facts", Document, nullable=False),
    Column("result", Document, nullable=False),
    Index("ix_decisions_call", "call_id"),
    Index("ix_decisions_at", "at"),
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", String(32), primary_key=True),  # the call's id for our own calls
    Column("at", UtcDateTime, nullable=False),
    Column("party_id", String(128), nullable=False),
    Column("household", String(128)),
    Column("number", String(20)),
    Column("number_kind", String(16)),
    Column("debts", Document, nullable=False),
    Column("account", String(128)),
    Column("case_id", String(128)),
    Column("direction", String(8), nullable=False),
    Column("channel", String(8), nullable=False),
    Column("by", String(16), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("consented", Boolean, nullable=False),
    Index("ix_contacts_party_at", "party_id", "at"),
    Index("ix_contacts_number_at", "number", "at"),
    Index("ix_contacts_household_at", "household", "at"),
)

trunks = Table(
    "trunks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("pbx", String(32), nullable=False),
    Column("endpoint", String(64), nullable=False),
    Column("dial_format", String(16), nullable=False),  # e164 | digits | national
    Column("prefixes", Document, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("weight", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("caller_ids", Document, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("packs", Document, nullable=False),
    Column("house", Document, nullable=False),
    Column("zone", String(64), nullable=False),
    Column("announcement", Text),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", String(128), nullable=False),
    Column("number", String(20), nullable=False),
    Column("by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_overrides_case_number", "case_id", "number"),
)
