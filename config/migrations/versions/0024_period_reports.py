"""Reports made on their date, to whom each is mailed, and deadlines that are told again until they are done

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "period_reports",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(255), nullable=False, unique=True),
        sa.Column("report", sa.String(32), nullable=False),
        sa.Column("period", sa.String(16), nullable=False),
        sa.Column("client", sa.String(128)),
        sa.Column("from_at", UtcDateTime, nullable=False),
        sa.Column("until_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("made_at", UtcDateTime),
        sa.Column("figures", Document),
        sa.Column("sections", Document),
        sa.Index("ix_period_reports_due", "due_at"),
        sa.Index("ix_period_reports_listed", "report", "until_at"),
    )
    op.create_table(
        "report_mailings",
        sa.Column("report", sa.String(32), primary_key=True),
        sa.Column("client", sa.String(128), primary_key=True),
        sa.Column("people", Document, nullable=False),
        sa.Column("addresses", Document, nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
    )
    op.add_column("deadlines", sa.Column("repeats", sa.Boolean, nullable=False, server_default=sa.false()))
    # The answer of a complaint that is open, and the last step of its ladder, are told again from now on too.
    table = sa.table("deadlines", sa.column("kind"), sa.column("ended_at"), sa.column("repeats"))
    running = (table.c.kind == "complaint-answer") & table.c.ended_at.is_(None)
    op.execute(table.update().where(running).values(repeats=True))


def downgrade() -> None:
    op.drop_column("deadlines", "repeats")
    op.drop_table("report_mailings")
    op.drop_table("period_reports")
