"""Inbound calls: groups, routes by called number, whom to call back

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_DUE = sa.text("state = 'due'")


def upgrade() -> None:
    op.create_table(
        "agent_groups",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("members", Document, nullable=False),
        sa.Column("ring", sa.String(16), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_agent_groups")),
    )
    op.create_table(
        "inbound_routes",
        sa.Column("did", sa.String(20), nullable=False),
        sa.Column("to", sa.String(16), nullable=False),
        sa.Column("target", sa.String(64)),
        sa.Column("hours", Document),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("overflow", Document, nullable=False),
        sa.Column("ring_seconds", sa.Integer(), nullable=False),
        sa.Column("announcement", sa.String(128)),
        sa.Column("closed_message", sa.String(128)),
        sa.Column("client", sa.String(128)),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("did", name=op.f("pk_inbound_routes")),
    )
    op.create_table(
        "inbound_calls",
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("did", sa.String(20), nullable=False),
        sa.Column("caller", sa.String(20), nullable=False),
        sa.Column("carrier", sa.String(64), nullable=False),
        sa.Column("phones", Document, nullable=False),
        sa.Column("matches", Document, nullable=False),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_inbound_calls_call_id")),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_inbound_calls")),
    )
    op.create_table(
        "call_backs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("case_id", sa.String(128)),
        sa.Column("party_id", sa.String(128)),
        sa.Column("client", sa.String(128)),
        sa.Column("agent", sa.String(128)),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("missed_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("done_at", UtcDateTime()),
        sa.Column("done_by", sa.String(128)),
        sa.Column("done_call", sa.String(32)),
        sa.Column("reason", sa.String(255)),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_backs_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_backs")),
    )
    op.create_index(
        "ix_call_backs_due", "call_backs", ["number"], unique=True, sqlite_where=_DUE, postgresql_where=_DUE
    )
    op.create_index("ix_call_backs_agent", "call_backs", ["agent", "state"])
    op.create_index("ix_call_backs_case", "call_backs", ["case_id"])


def downgrade() -> None:
    for table in ("call_backs", "inbound_calls", "inbound_routes", "agent_groups"):
        op.drop_table(table)
