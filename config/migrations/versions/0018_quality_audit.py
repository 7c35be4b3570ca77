"""Scoring forms, samples of calls and reviews

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "qa_forms",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("questions", Document, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
    )
    op.create_table(
        "qa_samples",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("rule", Document, nullable=False),
        sa.Column("from_at", UtcDateTime, nullable=False),
        sa.Column("until_at", UtcDateTime, nullable=False),
        sa.Column("seed", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("made_by", sa.String(128), nullable=False),
        sa.Index("ix_qa_samples_kind", "kind", "id"),
    )
    op.create_table(
        "qa_sample_calls",
        sa.Column("sample_id", sa.String(32), sa.ForeignKey("qa_samples.id"), primary_key=True),
        sa.Column("call_id", sa.String(32), primary_key=True),
        sa.Column("group", sa.String(128), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("agent", sa.String(128), nullable=False),
        sa.Column("team", sa.String(64)),
        sa.Index("ix_qa_sample_calls_call", "call_id"),
    )
    _reviews()


def _reviews() -> None:
    op.create_table(
        "qa_reviews",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("sample_id", sa.String(32), sa.ForeignKey("qa_samples.id")),
        sa.Column("agent", sa.String(128), nullable=False),
        sa.Column("reviewer", sa.String(128), nullable=False),
        sa.Column("form_id", sa.String(64), nullable=False),
        sa.Column("form_version", sa.Integer, nullable=False),
        sa.Column("questions", Document, nullable=False),
        sa.Column("scores", Document, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("failed", Document, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("finding", sa.String(8), nullable=False),
        sa.Column("deadline_key", sa.String(255)),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("call_id", "form_id", "reviewer", name="uq_qa_reviews_once"),
        sa.Index("ix_qa_reviews_sample", "sample_id"),
        sa.Index("ix_qa_reviews_agent", "agent", "made_at"),
    )


def downgrade() -> None:
    for table in ("qa_reviews", "qa_sample_calls", "qa_samples", "qa_forms"):
        op.drop_table(table)
