"""Deadlines, working calendars, complaint ladders and trails, mail to send

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, Sequence, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_days",
        sa.Column("country", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("country", "day", name=op.f("pk_calendar_days")),
    )
    op.create_table(
        "complaint_ladders",
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("ladder", Document, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("client", "severity", name=op.f("pk_complaint_ladders")),
    )
    op.create_table(
        "deadline_rules",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("rule", Document, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("kind", "client", name=op.f("pk_deadline_rules")),
    )
    op.create_table(
        "deadlines",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=True),
        sa.Column("case_id", sa.String(length=128), nullable=True),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("complaint_id", sa.String(length=32), nullable=True),
        sa.Column("owner", sa.String(length=128), nullable=True),
        sa.Column("owner_role", sa.String(length=16), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=True),
        sa.Column("people", Document, nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("warn_at", UtcDateTime(), nullable=True),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("warned_at", UtcDateTime(), nullable=True),
        sa.Column("missed_at", UtcDateTime(), nullable=True),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("escalate", Document, nullable=False),
        sa.Column("every_minutes", sa.Integer(), nullable=False),
        sa.Column("mail", sa.Boolean(), nullable=False),
        sa.Column("told", Document, nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=128), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deadlines")),
        sa.UniqueConstraint("key", name=op.f("uq_deadlines_key")),
    )
    op.create_index("ix_deadlines_case", "deadlines", ["case_id"], unique=False)
    op.create_index("ix_deadlines_complaint", "deadlines", ["complaint_id"], unique=False)
    op.create_index("ix_deadlines_next", "deadlines", ["next_at"], unique=False)
    op.create_index("ix_deadlines_owner", "deadlines", ["owner", "state"], unique=False)
    op.create_index("ix_deadlines_state", "deadlines", ["state", "due_at"], unique=False)
    op.create_table(
        "mail_outbox",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("recipient", sa.String(length=128), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_mail_outbox_key")),
    )
    op.create_index("ix_mail_outbox_due", "mail_outbox", ["due_at"], unique=False)
    op.create_table(
        "working_calendars",
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("country", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("opens", sa.String(length=5), nullable=False),
        sa.Column("closes", sa.String(length=5), nullable=False),
        sa.Column("weekdays", Document, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_working_calendars")),
    )
    op.create_table(
        "complaint_trail",
        sa.Column("id", Sequence, autoincrement=True, nullable=False),
        sa.Column("complaint_id", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("details", Document, nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["complaint_id"], ["complaints.id"], name=op.f("fk_complaint_trail_complaint_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_trail")),
    )
    op.create_index("ix_complaint_trail_at", "complaint_trail", ["at"], unique=False)
    op.create_index("ix_complaint_trail_complaint", "complaint_trail", ["complaint_id", "id"], unique=False)
    for column in (
        sa.Column("party_id", sa.String(128)),
        sa.Column("at_second", sa.Float()),
        sa.Column("category", sa.String(32)),
        sa.Column("justified", sa.Boolean()),
        sa.Column("step", sa.String(32)),
        sa.Column("ladder", Document),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("complaints", column)
    op.create_index("ix_complaints_party", "complaints", ["party_id"])
    op.add_column("users", sa.Column("email", sa.String(254)))
    # Retrieval requests are watched like everything else from now on.
    op.execute(
        """
        INSERT INTO deadlines (id, key, kind, text, owner, owner_role, people, opened_at, due_at, unit, next_at, state, level,
                               escalate, every_minutes, mail, told)
        SELECT id, 'retrieval:' || id, 'retrieval', reason, requested_by, 'qa', '[]', requested_at, deadline_at, 'working_days',
               due_at, 'open', 0, '["supervisor", "company"]', 480, true, '[]'
        FROM retrieval_requests WHERE due_at IS NOT NULL
        """
    )
    op.execute("UPDATE retrieval_requests SET due_at = NULL")
    # What happened before there were clocks starts none.
    op.execute(
        "INSERT INTO journal_cursors (reader, position) SELECT 'clocks', MAX(id) FROM journal HAVING MAX(id) IS NOT NULL"
    )
