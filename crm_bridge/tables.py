"""What the desk keeps: users, cases with their parties and numbers, notes, complaints and idempotency keys."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, false

from config.schema import Document, UtcDateTime, metadata

users = Table(
    "users",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(255)),
    Column("extension", String(32)),
    Column("pbx", String(32)),
    Column("team", String(64)),
    Column("clients", Document, nullable=False),  # empty: all clients
    Column("language", String(8), nullable=False),
    Column("email", String(254)),
    Column("auto_answer", String(16)),  # none | call-info | alert-info; null: as the settings say
    Column("active", Boolean, nullable=False),
    Column("failed_logins", Integer, nullable=False),
    Column("locked_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("password_set_at", UtcDateTime),  # null: no password, or one from before this was kept
    Column("must_change_password", Boolean, nullable=False, default=False, server_default=false()),
)

credentials = Table(
    "credentials",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256 of a random secret, which is shown once and never kept
    Column("kind", String(8), nullable=False),  # session | token | widget | click: only for GET /compat/abcti
    Column("id", String(32), nullable=False, unique=True),
    Column("user", String(128), ForeignKey("users.name"), nullable=False),
    Column("label", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("origin", String(255)),  # of a widget's token: the only pages on which it is good
    Column("scopes", Document),  # what a token is good for: ["calls", "cases:read"]; null: all that its user may do
    Column("minted_by", String(128)),  # of a widget's token: the CRM's server that asked for it
    Index("ix_credentials_user", "user"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user", String(128), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("status", Integer),  # null while in flight
    Column("answer", Document),
    Column("call_id", String(32)),
)

cases = Table(
    "cases",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("client", String(128), nullable=False),
    Column("state", String(20), nullable=False),
    Column("upserted_state", String(20), nullable=False),  # what the CRM said last: saying it again changes nothing
    Column("debts", Document, nullable=False),
    Column("account", String(128)),
    Column("mandate_until", String(10)),
    Column("collector", String(128)),
    Column("debtor_reachable", Boolean, nullable=False),
    Column("failed_contacts", Integer, nullable=False),
    Column("dispute", Boolean, nullable=False),
    Column("fraud_statement", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_cases_client", "client", "id"),
    Index("ix_cases_mandate", "mandate_until"),
    Index("ix_cases_account", "account"),
    Index("ix_cases_collector", "collector", "id"),
)

parties = Table(
    "parties",
    metadata,
    Column("id", String(128), primary_key=True),  # one person across cases, clients and numbers
    Column("name", String(255), nullable=False),
    Column("locations", Document, nullable=False),
    Column("agreements", Document, nullable=False),
    Column("inconvenient", Document, nullable=False),
    Column("attorney", Boolean, nullable=False),
    Column("cease_at", UtcDateTime),
    Column("refused_at", UtcDateTime),
    Column("deceased", Boolean, nullable=False),
    Column("minor", Boolean, nullable=False),
    Column("household", String(128)),
    Column("identity", String(64)),  # of the person's identity document; shown by role, never logged
    Column("flags", Document, nullable=False),  # marked at the desk: {flag: {by, at, reason}}, which no upsert clears
    Column("said", Document),  # told at the desk: {agreements: [], inconvenient: []}, which no upsert takes back
    Index("ix_parties_identity", "identity"),
)

case_parties = Table(
    "case_parties",
    metadata,
    Column("case_id", String(128), ForeignKey("cases.id"), primary_key=True),
    Column("party_id", String(128), ForeignKey("parties.id"), primary_key=True),
    Column("relation", String(16), nullable=False),
    Column("position", Integer, nullable=False),
    Index("ix_case_parties_party", "party_id"),
)

numbers = Table(
    "numbers",
    metadata,
    Column("party_id", String(128), ForeignKey("parties.id"), primary_key=True),
    Column("e164", String(20), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("do_not_call", Boolean, nullable=False),
    Column("position", Integer, nullable=False),
    Column("extension", String(16)),  # behind a switchboard's number, as it was written
    Column("mark", Document),  # set at the desk: {mark, by, at, reason}, which no upsert takes back
    Index("ix_numbers_e164", "e164"),
)

notes = Table(
    "notes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", String(128), ForeignKey("cases.id"), nullable=False),
    Column("call_id", String(32), unique=True),  # one note a call
    Column("state", String(8), nullable=False),  # draft | final
    Column("author", String(128), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("party_id", String(128)),
    Column("number", String(20)),
    Column("relation", String(16)),
    Column("action_code", String(32)),
    Column("text", Text, nullable=False),
    Column("details", Document, nullable=False),  # outcome, duration, promise, recordings: as the call left them
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_notes_case", "case_id", "at"),
)

complaints = Table(
    "complaints",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", String(128), ForeignKey("cases.id"), nullable=False),
    Column("call_id", String(32)),
    Column("severity", String(8), nullable=False),
    Column("text", Text, nullable=False),
    Column("state", String(8), nullable=False),  # open | closed
    Column("opened_at", UtcDateTime, nullable=False),
    Column("opened_by", String(128), nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_by", String(128)),
    Column("ruling", Text),
    Column("instructed", Boolean, nullable=False),
    Column("resume", Boolean, nullable=False),
    Column("former_agent", String(128)),
    Column("assigned_to", String(128)),
    Column("party_id", String(128)),  # whose complaint: calling stops on all cases in which this person owes
    Column("at_second", Float),  # of the call's recording
    Column("category", String(32)),
    Column("justified", Boolean),
    Column("step", String(32)),  # of its ladder: who has it now; null when all steps are done
    Column("ladder", Document),  # as it was when the complaint was opened
    Column("revision", Integer, nullable=False, server_default="0"),  # rises with everything that is done
    Index("ix_complaints_case", "case_id", "opened_at"),
    Index("ix_complaints_party", "party_id"),
)
