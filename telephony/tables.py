"""What telephony keeps: calls and their legs, decisions, the contact history that caps count, trunks, policies."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, false, text

from config.schema import Document, UtcDateTime, metadata

_OPEN = text("ended_at IS NULL")
_STRAY = text("origin = 'stray'")

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
    Column("trunks_tried", Document),  # those that failed before the callee's phone rang, in order
    Column("caller_id", String(20)),
    Column("decision_id", String(32), nullable=False),  # empty where none was made: no case holds the number
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
    Column(
        "origin", String(8), nullable=False, default="click", server_default="click"
    ),  # click | typed | transfer | …
    Column("transferred_from", String(32)),  # the call whose outside party was sent to this number
    Column("candidates", Document),  # typed: every {case_id, party_id, decision_id} that holds the number
    Column(
        "current_agent", String(128)
    ),  # who speaks for our side now, at last when it has ended; null: nobody any more
    Column("held_at", UtcDateTime),  # since when the outside party is on hold; null while it is not
    Column("muted", Boolean, nullable=False, default=False, server_default=false()),
    Column("paused_until", UtcDateTime),  # the recording goes on at this moment at the latest; null while it runs
    Column("transfer", Document),  # the one under way, or the last one: telephony.live.transfers.Transfer
    Index("ix_calls_agent_open", "agent", "ended_at"),
    Index("ix_calls_current_open", "current_agent", "ended_at"),
    # Without it the click reads every call ever made on the PBX to see whether the phone is taken.
    Index("ix_calls_open", "pbx", "extension", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_calls_case", "case_id", "created_at"),
    Index("ix_calls_created", "created_at"),
    Index("ix_calls_stray", "created_at", sqlite_where=_STRAY, postgresql_where=_STRAY),
    Index("ix_calls_pbx_uniqueid", "pbx", "uniqueid"),  # one channel may ask for several transfers, one after the other
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
    Index("ix_legs_trunk_created", "trunk", "created_at"),
)

meetings = Table(
    "meetings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call_id", String(32), ForeignKey("calls.id"), nullable=False),  # heard in this call on our side…
    Column("pbx", String(32), nullable=False),
    Column("uniqueid", String(64), nullable=False),  # …was this leg of another call
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),  # null: until the leg or the call ended
    Index("ix_meetings_call", "call_id"),
    Index("ix_meetings_leg", "pbx", "uniqueid"),
)

recording_pauses = Table(
    "recording_pauses",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call_id", String(32), ForeignKey("calls.id"), nullable=False),
    Column("by", String(128), nullable=False),
    Column("reason", String(255)),
    Column("at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),  # when it ends by itself; null once it is over
    Index("ix_recording_pauses_call", "call_id"),
    Index("ix_recording_pauses_due", "due_at"),
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
    Column("call_id", String(32)),  # of the further parties that a call's number is known of; their `number` is null
    Index("ix_contacts_call", "call_id"),
    Index("ix_contacts_party_at", "party_id", "at"),
    Index("ix_contacts_number_at", "number", "at"),
    Index("ix_contacts_household_at", "household", "at"),
    Index("ix_contacts_account_at", "account", "at"),
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
    Column("setup", Document),  # telephony.trunking.wanted.Setup; null: the endpoint is the PBX's own
    Column("sealed_secret", Text),
    Column("hours", Document),  # bands {days, from, to} in `zone`; null: at all hours
    Column("zone", String(64)),
    Column("draining_since", UtcDateTime),  # no new calls since then; null once the last one has ended
    Column("turn", Integer, nullable=False, default=0, server_default="0"),  # of the weighted choice
    Column("updated_at", UtcDateTime),
    Column("updated_by", String(128)),
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

allowed_numbers = Table(
    "allowed_numbers",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("number", String(20), nullable=False),  # E.164, or a short number of the region as it is dialled
    Column("pbx", String(32)),  # null: on every PBX
    Column("client", String(128)),  # null: for everybody; else for those who work for that client
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Index("ix_allowed_numbers_number", "number"),
)
