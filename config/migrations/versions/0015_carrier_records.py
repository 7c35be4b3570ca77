"""Carriers' records: how each trunk's file is read, the records, the imports

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "carrier_formats",
        sa.Column("trunk", sa.String(64), nullable=False),
        sa.Column("format", Document, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("trunk", name=op.f("pk_carrier_formats")),
    )
    op.create_table(
        "carrier_records",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("trunk", sa.String(64), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("caller_id", sa.String(40)),
        sa.Column("duration", sa.Float()),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.String(64)),
        sa.Column("call_id", sa.String(32)),
        sa.Column("leg", sa.String(128)),
        sa.Column("import_id", sa.String(32), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carrier_records")),
    )
    op.create_index("ix_carrier_records_trunk", "carrier_records", ["trunk", "started_at"])
    op.create_index("ix_carrier_records_call", "carrier_records", ["call_id"])
    op.create_table(
        "carrier_imports",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("trunk", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("file", sa.String(255), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("counts", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carrier_imports")),
    )
    op.create_index("ix_carrier_imports_trunk", "carrier_imports", ["trunk", "at"])


def downgrade() -> None:
    op.drop_table("carrier_imports")
    op.drop_table("carrier_records")
    op.drop_table("carrier_formats")
