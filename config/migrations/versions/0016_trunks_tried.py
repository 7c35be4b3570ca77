"""Calls know which trunks were tried before the one they left by

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("trunks_tried", Document))


def downgrade() -> None:
    op.drop_column("calls", "trunks_tried")
