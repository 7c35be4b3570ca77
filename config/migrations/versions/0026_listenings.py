"""Who listened in on which call

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

from config.schema import UtcDateTime

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "listenings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("pbx", sa.String(32), nullable=False),
        sa.Column("listener", sa.String(128), nullable=False),
        sa.Column("extension", sa.String(32), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("began_at", UtcDateTime()),
        sa.Column("ended_at", UtcDateTime()),
    )
    op.create_index("ix_listenings_call_id", "listenings", ["call_id"])
    op.create_index("ix_listenings_ended_at", "listenings", ["ended_at"])


def downgrade() -> None:
    op.drop_table("listenings")
