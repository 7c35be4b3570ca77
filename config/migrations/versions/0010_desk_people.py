"""Who answered, what collectors are doing, third-party scripts, identity numbers, phones that answer by themselves

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from config.schema import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "right_parties",
        sa.Column("call_id", sa.String(32), nullable=False),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("party_id", sa.String(128)),
        sa.Column("relation", sa.String(16)),
        sa.Column("wrong_number", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_right_parties_call_id")),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_right_parties")),
    )
    op.create_index("ix_right_parties_by", "right_parties", ["by", "at"])
    op.create_table(
        "third_party_scripts",
        sa.Column("client", sa.String(128), nullable=False),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_third_party_scripts")),
    )
    op.create_table(
        "agent_states",
        sa.Column("agent", sa.String(128), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("chosen", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("call_id", sa.String(32)),
        sa.Column("due_at", UtcDateTime()),
        sa.ForeignKeyConstraint(["agent"], ["users.name"], name=op.f("fk_agent_states_agent")),
        sa.PrimaryKeyConstraint("agent", name=op.f("pk_agent_states")),
    )
    op.create_index("ix_agent_states_due", "agent_states", ["due_at"])
    op.add_column("parties", sa.Column("identity", sa.String(64)))
    op.add_column("users", sa.Column("auto_answer", sa.String(16)))


def downgrade() -> None:
    op.drop_column("users", "auto_answer")
    op.drop_column("parties", "identity")
    op.drop_table("agent_states")
    op.drop_table("third_party_scripts")
    op.drop_table("right_parties")
