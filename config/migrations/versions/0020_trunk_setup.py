"""Trunks set up on the PBX, with hours, turns and health; caller-ID pools and their loads

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, Sequence, UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_ADDED = ("setup", "sealed_secret", "hours", "zone", "draining_since", "turn", "updated_at", "updated_by")


def upgrade() -> None:
    op.add_column("trunks", sa.Column("setup", Document))
    op.add_column("trunks", sa.Column("sealed_secret", sa.Text))
    op.add_column("trunks", sa.Column("hours", Document))
    op.add_column("trunks", sa.Column("zone", sa.String(64)))
    op.add_column("trunks", sa.Column("draining_since", UtcDateTime()))
    op.add_column("trunks", sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("trunks", sa.Column("updated_at", UtcDateTime()))
    op.add_column("trunks", sa.Column("updated_by", sa.String(128)))
    op.create_index("ix_legs_trunk_created", "legs", ["trunk", "created_at"])
    op.create_table(
        "trunk_files",
        sa.Column("pbx", sa.String(32), primary_key=True),
        sa.Column("changing_since", UtcDateTime()),
        sa.Column("changing_by", sa.String(32)),
    )
    op.create_table(
        "trunk_health",
        sa.Column("trunk", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("seen", Document, nullable=False),
    )
    op.create_table(
        "trunk_failures",
        sa.Column("id", Sequence, primary_key=True, autoincrement=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("trunk", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("cause", sa.Integer(), nullable=False),
    )
    op.create_index("ix_trunk_failures_at", "trunk_failures", ["at"])
    op.create_table(
        "caller_id_pools",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("client", sa.String(128)),
        sa.Column("region", sa.String(16), nullable=False),
        sa.Column("numbers", Document, nullable=False),
        sa.Column("daily_limit", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
    )
    op.create_table(
        "caller_id_loads",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("caller_id", sa.String(20), primary_key=True),
        sa.Column("trunk", sa.String(64), primary_key=True),
        sa.Column("calls", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    for table in ("caller_id_loads", "caller_id_pools", "trunk_failures", "trunk_health", "trunk_files"):
        op.drop_table(table)
    op.drop_index("ix_legs_trunk_created", "legs")
    with op.batch_alter_table("trunks") as trunks:
        for column in _ADDED:
            trunks.drop_column(column)
