"""The outbox: who is told (destinations), what they are told (items, one a destination and event), and every try."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from config.schema import Document, Sequence, UtcDateTime, metadata

destinations = Table(
    "outbox_destinations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),  # webhook, or a connector's name
    Column("name", String(128), nullable=False),
    Column("events", Document, nullable=False),  # kinds; `call.*` is a family, `*` all
    Column("clients", Document, nullable=False),  # empty: every client, and what names none
    Column("state", String(8), nullable=False),  # on | off | disabled (by the service) | deleted
    Column("reason", Text),  # why it is off or disabled
    Column("revision", Integer, nullable=False),  # rises with every change, so that open connections are made anew
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),  # without an answer or with a wrong one, in a row
    Column("failing_since", UtcDateTime),
    Column("paused_until", UtcDateTime),  # nobody is there: only now and then is one item tried
    Column("delivered_at", UtcDateTime),  # the last one that arrived
    Column("last_error", Text),
)

items = Table(
    "outbox_items",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),  # the order in which things happened
    Column("id", String(32), nullable=False, unique=True),  # the receiver's idempotency key
    Column("destination_id", String(32), ForeignKey("outbox_destinations.id"), nullable=False),
    Column("event_id", Sequence, nullable=False),  # of the journal's entry
    Column("kind", String(64), nullable=False),
    Column("lane", String(160), nullable=False),  # what is told in order: a case, else a call, else the item alone
    Column("client", String(128)),
    Column("case_id", String(128)),
    Column("call_id", String(32)),
    Column("payload", Document, nullable=False),
    Column("occurred_at", UtcDateTime, nullable=False),
    Column("state", String(12), nullable=False),  # waiting | delivered | dead | dropped
    Column("due_at", UtcDateTime),  # null once it is not waiting any more
    Column("attempts", Integer, nullable=False),  # tries begun, since it was replayed last
    Column("in_flight", Boolean, nullable=False),  # a try was begun, and nobody has written down how it ended
    Column("uncertain", Boolean, nullable=False),  # an earlier try ended without an answer: it may have arrived
    Column("remote_id", String(255)),
    Column("reason", Text),  # what was said last, or by whom and why it was replayed or dropped
    Column("ended_at", UtcDateTime),
    UniqueConstraint("destination_id", "event_id", name="uq_outbox_items_once"),
    Index("ix_outbox_items_due", "destination_id", "state", "due_at", "seq"),
    Index("ix_outbox_items_lane", "destination_id", "lane", "state", "seq"),
    Index("ix_outbox_items_ended", "state", "ended_at"),
    Index("ix_outbox_items_case", "case_id"),
)

tries = Table(
    "outbox_tries",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("destination_id", String(32), nullable=False),
    Column("item_id", String(32)),  # null: a test message
    Column("attempt", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("result", String(12), nullable=False),  # delivered | later | refused | gone
    Column("status", Integer),  # of HTTP
    Column("reason", Text),
    Column("answer", Text, nullable=False),  # its first 2 KB
    Index("ix_outbox_tries_item", "item_id"),
    Index("ix_outbox_tries_destination", "destination_id", "id"),
)
