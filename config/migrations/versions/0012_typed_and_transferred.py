"""Calls know how they began, which call they were transferred from and every case of a typed number; numbers let out

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STRAY = sa.text("origin = 'stray'")


def upgrade() -> None:
    op.add_column("calls", sa.Column("origin", sa.String(8), nullable=False, server_default="click"))
    op.add_column("calls", sa.Column("transferred_from", sa.String(32)))
    op.add_column("calls", sa.Column("candidates", Document))
    op.create_index("ix_calls_stray", "calls", ["created_at"], sqlite_where=_STRAY, postgresql_where=_STRAY)
    op.drop_index("ix_calls_pbx_uniqueid", "calls")
    op.create_index("ix_calls_pbx_uniqueid", "calls", ["pbx", "uniqueid"])
    op.add_column("contacts", sa.Column("call_id", sa.String(32)))
    op.create_index("ix_contacts_call", "contacts", ["call_id"])
    op.create_table(
        "allowed_numbers",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("pbx", sa.String(32)),
        sa.Column("client", sa.String(128)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allowed_numbers")),
    )
    op.create_index("ix_allowed_numbers_number", "allowed_numbers", ["number"])


def downgrade() -> None:
    op.drop_table("allowed_numbers")
    op.drop_index("ix_contacts_call", "contacts")
    op.drop_column("contacts", "call_id")
    op.drop_index("ix_calls_pbx_uniqueid", "calls")
    op.create_index("ix_calls_pbx_uniqueid", "calls", ["pbx", "uniqueid"], unique=True)
    op.drop_index("ix_calls_stray", "calls")
    op.drop_column("calls", "candidates")
    op.drop_column("calls", "transferred_from")
    op.drop_column("calls", "origin")
