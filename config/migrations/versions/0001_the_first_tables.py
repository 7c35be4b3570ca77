"""The first tables

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, Sequence, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("end_reason", sa.String(length=20), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("extension", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=True),
        sa.Column("case_id", sa.String(length=128), nullable=True),
        sa.Column("party_id", sa.String(length=128), nullable=True),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("pbx", sa.String(length=32), nullable=False),
        sa.Column("uniqueid", sa.String(length=64), nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=True),
        sa.Column("caller_id", sa.String(length=20), nullable=True),
        sa.Column("decision_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("calling_agent_at", UtcDateTime(), nullable=True),
        sa.Column("calling_customer_at", UtcDateTime(), nullable=True),
        sa.Column("alerted_at", UtcDateTime(), nullable=True),
        sa.Column("connected_at", UtcDateTime(), nullable=True),
        sa.Column("unknown_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("hangup_cause", sa.Integer(), nullable=True),
        sa.Column("tech_cause", sa.String(length=64), nullable=True),
        sa.Column("hangup_by", sa.String(length=128), nullable=True),
        sa.Column("denial", Document, nullable=True),
        sa.Column("violations", Document, nullable=False),
        sa.Column("disposition", Document, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    op.create_index("ix_calls_agent_open", "calls", ["agent", "ended_at"], unique=False)
    op.create_index("ix_calls_case", "calls", ["case_id", "created_at"], unique=False)
    op.create_index("ix_calls_created", "calls", ["created_at"], unique=False)
    op.create_index("ix_calls_pbx_uniqueid", "calls", ["pbx", "uniqueid"], unique=True)
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("upserted_state", sa.String(length=20), nullable=False),
        sa.Column("debts", Document, nullable=False),
        sa.Column("account", sa.String(length=128), nullable=True),
        sa.Column("mandate_until", sa.String(length=10), nullable=True),
        sa.Column("collector", sa.String(length=128), nullable=True),
        sa.Column("debtor_reachable", sa.Boolean(), nullable=False),
        sa.Column("failed_contacts", sa.Integer(), nullable=False),
        sa.Column("dispute", sa.Boolean(), nullable=False),
        sa.Column("fraud_statement", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_client", "cases", ["client", "id"], unique=False)
    op.create_index("ix_cases_collector", "cases", ["collector", "id"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("party_id", sa.String(length=128), nullable=False),
        sa.Column("household", sa.String(length=128), nullable=True),
        sa.Column("number", sa.String(length=20), nullable=True),
        sa.Column("number_kind", sa.String(length=16), nullable=True),
        sa.Column("debts", Document, nullable=False),
        sa.Column("account", sa.String(length=128), nullable=True),
        sa.Column("case_id", sa.String(length=128), nullable=True),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("by", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index("ix_contacts_household_at", "contacts", ["household", "at"], unique=False)
    op.create_index("ix_contacts_number_at", "contacts", ["number", "at"], unique=False)
    op.create_index("ix_contacts_party_at", "contacts", ["party_id", "at"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("case_id", sa.String(length=128), nullable=True),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("facts", Document, nullable=False),
        sa.Column("result", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_at", "decisions", ["at"], unique=False)
    op.create_index("ix_decisions_call", "decisions", ["call_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("user", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", Document, nullable=True),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("user", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=320), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("detail", Document, nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_reason", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_call", "incidents", ["call_id"], unique=False)
    op.create_index("ix_incidents_open", "incidents", ["closed_at", "opened_at"], unique=False)
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "journal",
        sa.Column("id", Sequence, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=True),
        sa.Column("agent", sa.String(length=128), nullable=True),
        sa.Column("case_id", sa.String(length=128), nullable=True),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("data", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_call_id", "journal", ["call_id"], unique=False)
    op.create_index("ix_journal_case_id", "journal", ["case_id"], unique=False)
    op.create_index("ix_journal_kind", "journal", ["kind", "id"], unique=False)
    op.create_table(
        "journal_cursors",
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_journal_cursors")),
    )
    op.create_table(
        "overrides",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=128), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index("ix_overrides_case_number", "overrides", ["case_id", "number"], unique=False)
    op.create_table(
        "parties",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("locations", Document, nullable=False),
        sa.Column("agreements", Document, nullable=False),
        sa.Column("inconvenient", Document, nullable=False),
        sa.Column("attorney", sa.Boolean(), nullable=False),
        sa.Column("cease_at", UtcDateTime(), nullable=True),
        sa.Column("refused_at", UtcDateTime(), nullable=True),
        sa.Column("deceased", sa.Boolean(), nullable=False),
        sa.Column("minor", sa.Boolean(), nullable=False),
        sa.Column("household", sa.String(length=128), nullable=True),
        sa.Column("flags", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parties")),
    )
    op.create_table(
        "policies",
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("packs", Document, nullable=False),
        sa.Column("house", Document, nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("announcement", sa.Text(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_policies")),
    )
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("pbx", sa.String(length=32), nullable=False),
        sa.Column("uniqueid", sa.String(length=64), nullable=False),
        sa.Column("leg", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("required", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("leg_started_at", UtcDateTime(), nullable=False),
        sa.Column("leg_answered_at", UtcDateTime(), nullable=True),
        sa.Column("leg_ended_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("duration", sa.Float(), nullable=True),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("channels", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("pcm_sha256", sa.String(length=64), nullable=True),
        sa.Column("stored_sha256", sa.String(length=64), nullable=True),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.Column("object", sa.String(length=512), nullable=True),
        sa.Column("flags", Document, nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=True),
        sa.Column("retention", Document, nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
    )
    op.create_index("ix_recordings_call", "recordings", ["call_id"], unique=False)
    op.create_index("ix_recordings_due", "recordings", ["due_at"], unique=False)
    op.create_index("uq_recordings_leg", "recordings", ["pbx", "uniqueid"], unique=True)
    op.create_table(
        "trunks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("pbx", sa.String(length=32), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("dial_format", sa.String(length=16), nullable=False),
        sa.Column("prefixes", Document, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("caller_ids", Document, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trunks")),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("extension", sa.String(length=32), nullable=True),
        sa.Column("pbx", sa.String(length=32), nullable=True),
        sa.Column("team", sa.String(length=64), nullable=True),
        sa.Column("clients", Document, nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    op.create_table(
        "case_parties",
        sa.Column("case_id", sa.String(length=128), nullable=False),
        sa.Column("party_id", sa.String(length=128), nullable=False),
        sa.Column("relation", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_case_parties_case_id")),
        sa.ForeignKeyConstraint(["party_id"], ["parties.id"], name=op.f("fk_case_parties_party_id")),
        sa.PrimaryKeyConstraint("case_id", "party_id", name=op.f("pk_case_parties")),
    )
    op.create_index("ix_case_parties_party", "case_parties", ["party_id"], unique=False)
    op.create_table(
        "complaints",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=128), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("opened_by", sa.String(length=128), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
        sa.Column("ruling", sa.Text(), nullable=True),
        sa.Column("instructed", sa.Boolean(), nullable=False),
        sa.Column("resume", sa.Boolean(), nullable=False),
        sa.Column("former_agent", sa.String(length=128), nullable=True),
        sa.Column("assigned_to", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_complaints_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaints")),
    )
    op.create_index("ix_complaints_case", "complaints", ["case_id", "opened_at"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=128), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name=op.f("fk_credentials_user")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_credentials")),
        sa.UniqueConstraint("id", name=op.f("uq_credentials_id")),
    )
    op.create_index("ix_credentials_user", "credentials", ["user"], unique=False)
    op.create_table(
        "legs",
        sa.Column("pbx", sa.String(length=32), nullable=False),
        sa.Column("uniqueid", sa.String(length=64), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=False),
        sa.Column("trunk", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("alerted_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("dial_status", sa.String(length=16), nullable=True),
        sa.Column("hangup_cause", sa.Integer(), nullable=True),
        sa.Column("tech_cause", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_legs_call_id")),
        sa.PrimaryKeyConstraint("pbx", "uniqueid", name=op.f("pk_legs")),
    )
    op.create_index("ix_legs_call", "legs", ["call_id"], unique=False)
    op.create_table(
        "notes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=128), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("author", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("party_id", sa.String(length=128), nullable=True),
        sa.Column("number", sa.String(length=20), nullable=True),
        sa.Column("relation", sa.String(length=16), nullable=True),
        sa.Column("action_code", sa.String(length=32), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("details", Document, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_notes_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
        sa.UniqueConstraint("call_id", name=op.f("uq_notes_call_id")),
    )
    op.create_index("ix_notes_case", "notes", ["case_id", "at"], unique=False)
    op.create_table(
        "numbers",
        sa.Column("party_id", sa.String(length=128), nullable=False),
        sa.Column("e164", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("do_not_call", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["parties.id"], name=op.f("fk_numbers_party_id")),
        sa.PrimaryKeyConstraint("party_id", "e164", name=op.f("pk_numbers")),
    )
    op.create_index("ix_numbers_e164", "numbers", ["e164"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_numbers_e164", table_name="numbers")
    op.drop_table("numbers")
    op.drop_index("ix_notes_case", table_name="notes")
    op.drop_table("notes")
    op.drop_index("ix_legs_call", table_name="legs")
    op.drop_table("legs")
    op.drop_index("ix_credentials_user", table_name="credentials")
    op.drop_table("credentials")
    op.drop_index("ix_complaints_case", table_name="complaints")
    op.drop_table("complaints")
    op.drop_index("ix_case_parties_party", table_name="case_parties")
    op.drop_table("case_parties")
    op.drop_table("users")
    op.drop_table("trunks")
    op.drop_index("uq_recordings_leg", table_name="recordings")
    op.drop_index("ix_recordings_due", table_name="recordings")
    op.drop_index("ix_recordings_call", table_name="recordings")
    op.drop_table("recordings")
    op.drop_table("policies")
    op.drop_table("parties")
    op.drop_index("ix_overrides_case_number", table_name="overrides")
    op.drop_table("overrides")
    op.drop_table("journal_cursors")
    op.drop_index("ix_journal_kind", table_name="journal")
    op.drop_index("ix_journal_case_id", table_name="journal")
    op.drop_index("ix_journal_call_id", table_name="journal")
    op.drop_table("journal")
    op.drop_index(
        "uq_incidents_open",
        table_name="incidents",
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.drop_index("ix_incidents_open", table_name="incidents")
    op.drop_index("ix_incidents_call", table_name="incidents")
    op.drop_table("incidents")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_decisions_call", table_name="decisions")
    op.drop_index("ix_decisions_at", table_name="decisions")
    op.drop_table("decisions")
    op.drop_index("ix_contacts_party_at", table_name="contacts")
    op.drop_index("ix_contacts_number_at", table_name="contacts")
    op.drop_index("ix_contacts_household_at", table_name="contacts")
    op.drop_table("contacts")
    op.drop_index("ix_cases_collector", table_name="cases")
    op.drop_index("ix_cases_client", table_name="cases")
    op.drop_table("cases")
    op.drop_index("ix_calls_pbx_uniqueid", table_name="calls")
    op.drop_index("ix_calls_created", table_name="calls")
    op.drop_index("ix_calls_case", table_name="calls")
    op.drop_index("ix_calls_agent_open", table_name="calls")
    op.drop_table("calls")
