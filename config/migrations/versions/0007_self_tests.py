"""The recorder's self-tests

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from config.schema import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "self_tests",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("pbx", sa.String(length=32), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("recording_id", sa.String(length=32), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_self_tests")),
    )
    op.create_index("ix_self_tests_pbx", "self_tests", ["pbx", "started_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_self_tests_pbx", table_name="self_tests")
    op.drop_table("self_tests")
