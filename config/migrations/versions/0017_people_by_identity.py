"""People found by the number of their identity document

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_parties_identity", "parties", ["identity"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_parties_identity", table_name="parties")
