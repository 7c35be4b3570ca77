"""The Merkle log over the journal, and where a recording's versions and copies are

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, Sequence, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recordings", sa.Column("object_version", sa.String(length=255), nullable=True))
    op.add_column("recordings", sa.Column("object_copy", Document, nullable=True))
    op.add_column("recordings", sa.Column("key_id", sa.String(length=64), nullable=True))
    op.add_column("recordings", sa.Column("verified_at", UtcDateTime(), nullable=True))
    op.create_index("ix_recordings_key", "recordings", ["key_id", "state"])
    op.create_table(
        "log_leaves",
        sa.Column("idx", Sequence, autoincrement=False, nullable=False),
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("of_call", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("idx", name=op.f("pk_log_leaves")),
        sa.UniqueConstraint("journal_id", name=op.f("uq_log_leaves_journal_id")),
    )
    op.create_index("ix_log_leaves_call", "log_leaves", ["call_id", "of_call"])
    op.create_table(
        "log_tiles",
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "idx", name=op.f("pk_log_tiles")),
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("size", Sequence, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("journal_id", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_checkpoints")),
    )
