"""What recordings keeps: one row a leg that has, or should have, a recording, and the incidents opened on doubt."""

from sqlalchemy import BigInteger, Column, Date, Float, Index, Integer, LargeBinary, String, Table, Text, text

from config.schema import Document, Sequence, UtcDateTime, metadata

recordings = Table(
    "recordings",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call_id", String(32), nullable=False),
    Column("pbx", String(32), nullable=False),
    Column("uniqueid", String(64), nullable=False),
    Column("leg", String(16), nullable=False),  # agent | customer
    Column("state", String(16), nullable=False),  # expected | archived | missing | none | deleting | deleted
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
    Column("object_version", String(255)),  # where the store keeps versions
    Column("object_copy", Document),  # in the second store: key, version, sha256, size
    Column("key_id", String(64)),  # the group key it is encrypted under; null: archived before there was encryption
    Column("flags", Document, nullable=False),
    Column("peaks", LargeBinary),  # one byte a channel and 50 ms, interleaved: recordings.peaks
    Column("retention", Document),  # why until then: recordings.retention.Due.document
    Column("delete_after", Date),  # the last day it must be kept
    Column("retention_revision", Integer),  # of the classes that the date was taken from
    Column("due_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("archived_at", UtcDateTime),
    Column("locked_through", Date),  # the last day of its object's lock in the stores
    Column("verified_at", UtcDateTime),  # when `ringfence verify` last read its object
    Index("ix_recordings_call", "call_id"),
    Index("ix_recordings_due", "due_at"),
    Index("ix_recordings_key", "key_id", "state"),
    Index("ix_recordings_delete_after", "state", "delete_after"),
    Index("ix_recordings_revision", "retention_revision"),
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

log_leaves = Table(
    "log_leaves",
    metadata,
    Column("idx", Sequence, primary_key=True, autoincrement=False),  # place in the Merkle log, from 0, no gaps
    Column("journal_id", BigInteger, nullable=False, unique=True),
    Column("hash", LargeBinary(32), nullable=False),
    Column("call_id", String(32)),
    Column("of_call", Integer),  # the how-manieth entry of its call, from 1
    Index("ix_log_leaves_call", "call_id", "of_call"),
)

log_tiles = Table(
    "log_tiles",
    metadata,
    Column("level", Integer, primary_key=True),  # 8, 16, 24: roots of 2^level leaves
    Column("idx", BigInteger, primary_key=True),
    Column("hash", LargeBinary(32), nullable=False),
)

checkpoints = Table(
    "log_checkpoints",
    metadata,
    Column("size", Sequence, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("journal_id", BigInteger, nullable=False),  # the newest entry that is sealed in it
    Column("note", Text, nullable=False),  # the signed note
)
