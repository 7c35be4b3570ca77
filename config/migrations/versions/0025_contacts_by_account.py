"""Contacts of others on one account are found for caps that count by account

Revision ID: 0025
Revises: 0024
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_contacts_account_at", "contacts", ["account", "at"])


def downgrade() -> None:
    op.drop_index("ix_contacts_account_at", "contacts")
