"""What recordings keeps: one row a leg that has, or should have, a recording, and the incidents opened on doubt."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, String, Table, Text, text

from config.schema import Document, UtcDateTime, metadata

recordings = Table(
    "recordings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call_id", String(32), nullable=False),
    Column("pbx", String(32), nullable=False),
    Column("uniqueid", String(64), nullable=False),
    Column("leg", String(16), nullable=False),  # agent | customer
    Column("state", String(16), nullable=False),  # expected | archived | missing | none (nothing to keep)
    Column("required", Integer, nullable=False),  # 1 when its absence is an incident
    Column("file", String(255), nullable=False),  # name inside the spool
    Column("leg_started_at", UtcDateTime, nullable=False),
    Column("leg_answered_at", UtcDateTime),
    Column("leg_ended_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),  # first sample, from the leg's end and the length
    Column("duration", Float),  # seconds
    Column("rate", Integer),
    Column("channels", Integer),
    Column("sha256", String(64)),  # of the file the PBX left
    Column("pcm_sha256", String(64)),
    Column("stored_sha256", String(64)),  # of the archived object
    Column("stored_bytes", BigInteger),
    Column("object", String(512)),  # key inside the archive
    Column("flags", Document, nullable=False),
    Column("peaks", LargeBinary),  # one byte a channel and 50 ms, interleaved: recordings.peaks
    Column("retention", Document),
    Column("due_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("archived_at", UtcDateTime),
    Index("ix_recordings_call", "call_id"),
    Index("ix_recordings_due", "due_at"),
    Index("uq_recordings_leg", "pbx", "uniqueid", unique=True),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(32), nullable=False),  # missing, tiny, silent, one-sided, …
    Column("subject", String(320), nullable=False),  # recording id, pbx:file or component
    Column("call_id", String(32)),
    Column("detail", Document, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_reason", String(255)),
    Index("ix_incidents_open", "closed_at", "opened_at"),
    Index("ix_incidents_call", "call_id"),
    Index(
        "uq_incidents_open",
        "kind",
        "subject",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)
