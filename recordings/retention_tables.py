"""What keeping and showing recordings needs: retention classes, holds, receipts, comments, retrievals, self-tests."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from config.schema import Document, UtcDateTime, metadata

retention_classes = Table(
    "retention_classes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("months", Integer, nullable=False),
    Column("anchor", String(16), nullable=False),
    Column("clients", Document),  # null: every client's
    Column("pack", String(64)),
    Column("basis", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("privacy_max_months", Integer),
    Column("enabled", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),  # rises with every change of any class
    Column("reason", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("matter", String(255), nullable=False),
    Column("kind", String(16), nullable=False),  # complaint | dispute | audit | litigation
    Column("reason", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_by", String(128), nullable=False),
    Column("complaint_id", String(32), unique=True),  # held by itself, and until its complaint is closed
    Column("complaint_closed_at", UtcDateTime),
    Column("released_at", UtcDateTime),
    Column("released_by", String(128)),
    Column("release_reason", Text),
    Index("ix_holds_released", "released_at"),
)

hold_cases = Table(
    "hold_cases",
    metadata,
    Column("hold_id", String(32), primary_key=True),
    Column("case_id", String(128), primary_key=True),
    Index("ix_hold_cases_case", "case_id"),
)

hold_recordings = Table(
    "hold_recordings",
    metadata,
    Column("hold_id", String(32), primary_key=True),
    Column("recording_id", String(32), primary_key=True),
    Index("ix_hold_recordings_recording", "recording_id"),
)

receipts = Table(
    "deletion_receipts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("recording_id", String(32), nullable=False, unique=True),
    Column("call_id", String(32), nullable=False),
    Column("case_id", String(128)),
    Column("client", String(128)),
    Column("leg", String(16), nullable=False),
    Column("object", String(512)),
    Column("copies", Integer, nullable=False),  # versions and copies removed from the stores
    Column("sha256", String(64)),
    Column("pcm_sha256", String(64)),
    Column("stored_sha256", String(64)),
    Column("duration", Float),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("retention", Document, nullable=False),  # why it was time
    Column("key_destroyed", Boolean, nullable=False),
    Column("deleted_at", UtcDateTime, nullable=False),
    Column("deleted_by", String(128), nullable=False),
    Index("ix_deletion_receipts_call", "call_id"),
    Index("ix_deletion_receipts_deleted", "deleted_at"),
)

comments = Table(
    "recording_comments",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call_id", String(32), nullable=False),
    Column("at_second", Float, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Column("deleted_by", String(128)),
    Index("ix_recording_comments_call", "call_id", "at_second"),
)

retrievals = Table(
    "retrieval_requests",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("cases", Document, nullable=False),
    Column("calls", Document, nullable=False),
    Column("reason", Text, nullable=False),
    Column("client", String(128)),
    Column("state", String(16), nullable=False),  # open | done
    Column("requested_at", UtcDateTime, nullable=False),
    Column("requested_by", String(128), nullable=False),
    Column("deadline_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),
    Column("missed_at", UtcDateTime),
    Column("done_at", UtcDateTime),
    Column("done_by", String(128)),
    Index("ix_retrieval_requests_due", "due_at"),
)

self_tests = Table(
    "self_tests",
    metadata,
    Column("id", String(32), primary_key=True),  # also the call id in its file's name
    Column("pbx", String(32), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("recording_id", String(32)),
    Column("passed", Boolean),  # null until its recording is archived
    Column("detail", Text),  # what is wrong
    Column("finished_at", UtcDateTime),
    Index("ix_self_tests_pbx", "pbx", "started_at"),
)
