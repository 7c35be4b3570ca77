"""A call shows the override that it needed

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("override", Document, nullable=True))


def downgrade() -> None:
    op.drop_column("calls", "override")
