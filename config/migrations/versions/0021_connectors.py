"""Connectors to CRMs: what was read of them, conflicts, notes sent

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "connectors",
        sa.Column("id", sa.String(32), sa.ForeignKey("outbox_destinations.id"), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("database", sa.String(64), nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("client", sa.String(128), nullable=False),
        sa.Column("mapping", Document, nullable=False),
        sa.Column("minutes", sa.Integer),
        sa.Column("due_at", UtcDateTime),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("full_at", UtcDateTime),
        sa.Column("cursor", sa.String(32)),
        sa.Column("run", Document),
        sa.Column("pulled_at", UtcDateTime),
        sa.Column("pulled", Document),
        sa.Column("pull_error", sa.Text),
        sa.Column("failing_since", UtcDateTime),
    )
    op.create_table(
        "connector_records",
        sa.Column("connector_id", sa.String(32), sa.ForeignKey("connectors.id"), primary_key=True),
        sa.Column("record", sa.String(64), primary_key=True),
        sa.Column("case_id", sa.String(128)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("parts", sa.String(64), nullable=False),
        sa.Column("base", Document, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("removed_at", UtcDateTime),
        sa.Index("ix_connector_records_case", "case_id"),
    )
    _conflicts()
    op.create_table(
        "connector_notes",
        sa.Column("item_id", sa.String(32), primary_key=True),
        sa.Column("connector_id", sa.String(32), sa.ForeignKey("connectors.id"), nullable=False),
        sa.Column("note_id", sa.String(32)),
        sa.Column("sent_at", UtcDateTime, nullable=False),
        sa.Column("remote_id", sa.String(64)),
        sa.Index("ix_connector_notes_sent", "connector_id", "sent_at"),
        sa.Index("ix_connector_notes_note", "connector_id", "note_id"),
    )


def _conflicts() -> None:
    op.create_table(
        "connector_conflicts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("connector_id", sa.String(32), sa.ForeignKey("connectors.id"), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("record", sa.String(64), nullable=False),
        sa.Column("case_id", sa.String(128)),
        sa.Column("field", sa.String(64)),
        sa.Column("theirs", sa.Text),
        sa.Column("ours", sa.Text),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("what_zh", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("found_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("ended_by", sa.String(128)),
        sa.Index("ix_connector_conflicts_open", "connector_id", "state", "id"),
        sa.Index("ix_connector_conflicts_key", "connector_id", "key", "state"),
    )


def downgrade() -> None:
    for table in ("connector_notes", "connector_conflicts", "connector_records", "connectors"):
        op.drop_table(table)
