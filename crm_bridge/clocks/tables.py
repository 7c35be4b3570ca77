"""What runs by the clock: deadlines and their rules, working calendars, complaint ladders and trails, and mail to send."""

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, String, Table, Text, false

from config.schema import Document, Sequence, UtcDateTime, metadata

deadlines = Table(
    "deadlines",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(255), nullable=False, unique=True),  # what it is of: opened twice, it is there once
    Column("kind", String(32), nullable=False),
    Column("step", String(32)),  # of a complaint's ladder
    Column("text", Text, nullable=False),
    Column("client", String(128)),
    Column("case_id", String(128)),
    Column("call_id", String(32)),
    Column("complaint_id", String(32)),
    Column("owner", String(128)),  # a person; else everyone of the role
    Column("owner_role", String(16), nullable=False),  # collector | supervisor | manager | company | qa
    Column("team", String(64)),
    Column("people", Document, nullable=False),  # named ones instead of the role, as the ladder says
    Column("opened_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    Column("warn_at", UtcDateTime),
    Column("unit", String(16), nullable=False),
    Column("next_at", UtcDateTime),  # when it is looked at again: the warning, the due time, the next escalation
    Column("state", String(16), nullable=False),  # open | met | missed | cancelled
    Column("warned_at", UtcDateTime),
    Column("missed_at", UtcDateTime),
    Column("level", Integer, nullable=False),  # escalations so far
    Column("escalate", Document, nullable=False),  # roles told, one after the other, once it is missed
    Column("every_minutes", Integer, nullable=False),
    Column("repeats", Boolean, nullable=False, default=False, server_default=false()),  # told again until it is ended
    Column("mail", Boolean, nullable=False),
    Column("told", Document, nullable=False),  # who was told last
    Column("ended_at", UtcDateTime),
    Column("ended_by", String(128)),
    Column("ended_reason", Text),
    Index("ix_deadlines_next", "next_at"),
    Index("ix_deadlines_state", "state", "due_at"),
    Index("ix_deadlines_case", "case_id"),
    Index("ix_deadlines_complaint", "complaint_id"),
    Index("ix_deadlines_owner", "owner", "state"),
)

deadline_rules = Table(
    "deadline_rules",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("client", String(128), primary_key=True),  # empty: every client without a rule of its own
    Column("rule", Document, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

working_calendars = Table(
    "working_calendars",
    metadata,
    Column("client", String(128), primary_key=True),  # empty: every client without a calendar of its own
    Column("country", String(16), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("opens", String(5), nullable=False),
    Column("closes", String(5), nullable=False),
    Column("weekdays", Document, nullable=False),  # 0 is Monday
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

calendar_days = Table(
    "calendar_days",
    metadata,
    Column("country", String(16), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("working", Boolean, nullable=False),  # a make-up workday, or a day off
    Column("name", String(255), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

complaint_ladders = Table(
    "complaint_ladders",
    metadata,
    Column("client", String(128), primary_key=True),  # empty: every client without a ladder of its own
    Column("severity", String(8), primary_key=True),
    Column("ladder", Document, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

complaint_trail = Table(
    "complaint_trail",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("complaint_id", String(32), ForeignKey("complaints.id"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(128), nullable=False),
    Column(
        "what", String(16), nullable=False
    ),  # opened | acted | noted | escalated | closed | reopened | instructed | undone
    Column("step", String(32)),
    Column("text", Text, nullable=False),
    Column("details", Document, nullable=False),
    Column("undone_at", UtcDateTime),
    Index("ix_complaint_trail_complaint", "complaint_id", "id"),
    Index("ix_complaint_trail_at", "at"),
)

outbox = Table(
    "mail_outbox",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(255), nullable=False, unique=True),  # a message about one thing to one address, once
    Column("recipient", String(128), nullable=False),
    Column("address", String(254), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("body", Text, nullable=False),
    Column("message_id", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("state", String(8), nullable=False),  # queued | sent | failed
    Column("sent_at", UtcDateTime),
    Column("last_error", Text),
    Index("ix_mail_outbox_due", "due_at"),
)
