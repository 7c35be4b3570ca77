"""The outbox and webhooks

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, Sequence, UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox_destinations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("events", Document, nullable=False),
        sa.Column("clients", Document, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.String(128), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", UtcDateTime),
        sa.Column("paused_until", UtcDateTime),
        sa.Column("delivered_at", UtcDateTime),
        sa.Column("last_error", sa.Text),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(32), sa.ForeignKey("outbox_destinations.id"), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("shown_as", sa.String(16), nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("old_secret", sa.Text),
        sa.Column("old_until", UtcDateTime),
    )
    _items()
    op.create_table(
        "outbox_tries",
        sa.Column("id", Sequence, primary_key=True, autoincrement=True),
        sa.Column("destination_id", sa.String(32), nullable=False),
        sa.Column("item_id", sa.String(32)),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("milliseconds", sa.Integer, nullable=False),
        sa.Column("result", sa.String(12), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("reason", sa.Text),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Index("ix_outbox_tries_item", "item_id"),
        sa.Index("ix_outbox_tries_destination", "destination_id", "id"),
    )


def _items() -> None:
    op.create_table(
        "outbox_items",
        sa.Column("seq", Sequence, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("destination_id", sa.String(32), sa.ForeignKey("outbox_destinations.id"), nullable=False),
        sa.Column("event_id", Sequence, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("lane", sa.String(160), nullable=False),
        sa.Column("client", sa.String(128)),
        sa.Column("case_id", sa.String(128)),
        sa.Column("call_id", sa.String(32)),
        sa.Column("payload", Document, nullable=False),
        sa.Column("occurred_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("in_flight", sa.Boolean, nullable=False),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("remote_id", sa.String(255)),
        sa.Column("reason", sa.Text),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("destination_id", "event_id", name="uq_outbox_items_once"),
        sa.Index("ix_outbox_items_due", "destination_id", "state", "due_at", "seq"),
        sa.Index("ix_outbox_items_lane", "destination_id", "lane", "state", "seq"),
        sa.Index("ix_outbox_items_ended", "state", "ended_at"),
        sa.Index("ix_outbox_items_case", "case_id"),
    )


def downgrade() -> None:
    for table in ("outbox_tries", "outbox_items", "webhooks", "outbox_destinations"):
        op.drop_table(table)
