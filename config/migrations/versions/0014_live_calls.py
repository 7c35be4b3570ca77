"""Calls know who speaks now, hold, mute, pause and transfer; which legs met whose outside party; pauses of recordings

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("current_agent", sa.String(128)))
    op.add_column("calls", sa.Column("held_at", UtcDateTime()))
    op.add_column("calls", sa.Column("muted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("calls", sa.Column("paused_until", UtcDateTime()))
    op.add_column("calls", sa.Column("transfer", Document))
    op.execute("UPDATE calls SET current_agent = agent")
    op.create_index("ix_calls_current_open", "calls", ["current_agent", "ended_at"])
    op.create_table(
        "meetings",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("pbx", sa.String(32), nullable=False),
        sa.Column("uniqueid", sa.String(64), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime()),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_meetings_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meetings")),
    )
    op.create_index("ix_meetings_call", "meetings", ["call_id"])
    op.create_index("ix_meetings_leg", "meetings", ["pbx", "uniqueid"])
    op.create_table(
        "recording_pauses",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime()),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_recording_pauses_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_pauses")),
    )
    op.create_index("ix_recording_pauses_call", "recording_pauses", ["call_id"])
    op.create_index("ix_recording_pauses_due", "recording_pauses", ["due_at"])


def downgrade() -> None:
    op.drop_table("recording_pauses")
    op.drop_table("meetings")
    op.drop_index("ix_calls_current_open", "calls")
    for name in ("transfer", "paused_until", "muted", "held_at", "current_agent"):
        op.drop_column("calls", name)
