"""Retention classes, holds, receipts of deletions, comments on recordings and retrieval requests

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deletion_receipts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("recording_id", sa.String(length=32), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=128), nullable=True),
        sa.Column("client", sa.String(length=128), nullable=True),
        sa.Column("leg", sa.String(length=16), nullable=False),
        sa.Column("object", sa.String(length=512), nullable=True),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("pcm_sha256", sa.String(length=64), nullable=True),
        sa.Column("stored_sha256", sa.String(length=64), nullable=True),
        sa.Column("duration", sa.Float(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.Column("retention", Document, nullable=False),
        sa.Column("key_destroyed", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_receipts")),
        sa.UniqueConstraint("recording_id", name=op.f("uq_deletion_receipts_recording_id")),
    )
    op.create_index("ix_deletion_receipts_call", "deletion_receipts", ["call_id"], unique=False)
    op.create_index("ix_deletion_receipts_deleted", "deletion_receipts", ["deleted_at"], unique=False)
    op.create_table(
        "hold_cases",
        sa.Column("hold_id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", "case_id", name=op.f("pk_hold_cases")),
    )
    op.create_index("ix_hold_cases_case", "hold_cases", ["case_id"], unique=False)
    op.create_table(
        "hold_recordings",
        sa.Column("hold_id", sa.String(length=32), nullable=False),
        sa.Column("recording_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("hold_id", "recording_id", name=op.f("pk_hold_recordings")),
    )
    op.create_index("ix_hold_recordings_recording", "hold_recordings", ["recording_id"], unique=False)
    op.create_table(
        "holds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("matter", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("opened_by", sa.String(length=128), nullable=False),
        sa.Column("complaint_id", sa.String(length=32), nullable=True),
        sa.Column("complaint_closed_at", UtcDateTime(), nullable=True),
        sa.Column("released_at", UtcDateTime(), nullable=True),
        sa.Column("released_by", sa.String(length=128), nullable=True),
        sa.Column("release_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("complaint_id", name=op.f("uq_holds_complaint_id")),
    )
    op.create_index("ix_holds_released", "holds", ["released_at"], unique=False)
    op.create_table(
        "recording_comments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("at_second", sa.Float(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=128), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_comments")),
    )
    op.create_index("ix_recording_comments_call", "recording_comments", ["call_id", "at_second"], unique=False)
    op.create_table(
        "retention_classes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("anchor", sa.String(length=16), nullable=False),
        sa.Column("clients", Document, nullable=True),
        sa.Column("pack", sa.String(length=64), nullable=True),
        sa.Column("basis", sa.String(length=16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("privacy_max_months", sa.Integer(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_classes")),
    )
    op.create_table(
        "retrieval_requests",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("cases", Document, nullable=False),
        sa.Column("calls", Document, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("requested_by", sa.String(length=128), nullable=False),
        sa.Column("deadline_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("missed_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("done_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retrieval_requests")),
    )
    op.create_index("ix_retrieval_requests_due", "retrieval_requests", ["due_at"], unique=False)
    op.add_column("recordings", sa.Column("delete_after", sa.Date(), nullable=True))
    op.add_column("recordings", sa.Column("retention_revision", sa.Integer(), nullable=True))
    op.create_index("ix_recordings_delete_after", "recordings", ["state", "delete_after"], unique=False)
    op.create_index("ix_recordings_revision", "recordings", ["retention_revision"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_recordings_revision", table_name="recordings")
    op.drop_index("ix_recordings_delete_after", table_name="recordings")
    op.drop_column("recordings", "retention_revision")
    op.drop_column("recordings", "delete_after")
    op.drop_index("ix_retrieval_requests_due", table_name="retrieval_requests")
    op.drop_table("retrieval_requests")
    op.drop_table("retention_classes")
    op.drop_index("ix_recording_comments_call", table_name="recording_comments")
    op.drop_table("recording_comments")
    op.drop_index("ix_holds_released", table_name="holds")
    op.drop_table("holds")
    op.drop_index("ix_hold_recordings_recording", table_name="hold_recordings")
    op.drop_table("hold_recordings")
    op.drop_index("ix_hold_cases_case", table_name="hold_cases")
    op.drop_table("hold_cases")
    op.drop_index("ix_deletion_receipts_deleted", table_name="deletion_receipts")
    op.drop_index("ix_deletion_receipts_call", table_name="deletion_receipts")
    op.drop_table("deletion_receipts")
