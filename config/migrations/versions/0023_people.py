"""When a password was set and whether it must be changed; what a token is good for

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

from config import clock
from config.schema import Document, UtcDateTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("password_set_at", UtcDateTime))
    op.add_column("users", sa.Column("must_change_password", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("credentials", sa.Column("scopes", Document))
    # How old the passwords are is not known: from now on they age.
    users = sa.table("users", sa.column("password_hash"), sa.column("password_set_at", UtcDateTime))
    aging = sa.update(users).where(users.c.password_hash.is_not(None))
    op.execute(aging.values(password_set_at=clock.now()))


def downgrade() -> None:
    op.drop_column("credentials", "scopes")
    op.drop_column("users", "must_change_password")
    op.drop_column("users", "password_set_at")
