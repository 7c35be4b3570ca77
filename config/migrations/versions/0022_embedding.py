"""Widget tokens bound to an origin, and where a popped case is in the CRM

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

from config.schema import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credentials", sa.Column("origin", sa.String(255)))
    op.add_column("credentials", sa.Column("minted_by", sa.String(128)))
    op.create_table(
        "screen_pop_links",
        sa.Column("client", sa.String(128), primary_key=True),
        sa.Column("template", sa.String(1024), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("screen_pop_links")
    op.drop_column("credentials", "minted_by")
    op.drop_column("credentials", "origin")
