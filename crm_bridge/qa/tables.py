"""What quality audit keeps: scoring forms, samples with what they drew, and reviews."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from config.schema import Document, UtcDateTime, metadata

qa_forms = Table(
    "qa_forms",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("questions", Document, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

qa_samples = Table(
    "qa_samples",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # daily:2026-06-01, drawn once; of a spot check its id
    Column("kind", String(8), nullable=False),  # daily | spot
    Column("rule", Document, nullable=False),
    Column("from_at", UtcDateTime, nullable=False),
    Column("until_at", UtcDateTime, nullable=False),
    Column("seed", String(64), nullable=False),  # drawn when the period was over; with it anyone draws the same again
    Column("reason", Text),
    Column("made_at", UtcDateTime, nullable=False),
    Column("made_by", String(128), nullable=False),
    Index("ix_qa_samples_kind", "kind", "id"),
)

qa_sample_calls = Table(
    "qa_sample_calls",
    metadata,
    Column("sample_id", String(32), ForeignKey("qa_samples.id"), primary_key=True),
    Column("call_id", String(32), primary_key=True),
    Column("group", String(128), nullable=False),  # the team, agent or client; empty: none
    Column("position", Integer, nullable=False),  # in its group, from 1
    Column("agent", String(128), nullable=False),  # who spoke, and in which team they were that day
    Column("team", String(64)),
    Index("ix_qa_sample_calls_call", "call_id"),
)

qa_reviews = Table(
    "qa_reviews",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call_id", String(32), nullable=False),
    Column("sample_id", String(32), ForeignKey("qa_samples.id")),
    Column("agent", String(128), nullable=False),
    Column("reviewer", String(128), nullable=False),
    Column("form_id", String(64), nullable=False),
    Column("form_version", Integer, nullable=False),
    Column("questions", Document, nullable=False),  # as they were when it was scored
    Column("scores", Document, nullable=False),  # {question: points | null where it does not apply}
    Column("score", Float),  # 0 to 100; null where nothing applied
    Column("failed", Document, nullable=False),  # critical questions without a point
    Column("comment", Text, nullable=False),
    Column("finding", String(8), nullable=False),  # none | minor | major
    Column("deadline_key", String(255)),
    Column("made_at", UtcDateTime, nullable=False),
    UniqueConstraint("call_id", "form_id", "reviewer", name="uq_qa_reviews_once"),
    Index("ix_qa_reviews_sample", "sample_id"),
    Index("ix_qa_reviews_agent", "agent", "made_at"),
)
