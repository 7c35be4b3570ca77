"""Action codes, promises and call-backs, marks and places of numbers, export columns; imports with their rows

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from config.schema import Document, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "action_code_sets",
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("codes", Document, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_action_code_sets")),
    )
    op.create_table(
        "import_mappings",
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("mapping", Document, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("client", "name", name=op.f("pk_import_mappings")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("mapping_name", sa.String(length=64), nullable=True),
        sa.Column("mapping", Document, nullable=True),
        sa.Column("preview", Document, nullable=False),
        sa.Column("problems", Document, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("counts", Document, nullable=False),
        sa.Column("tried", Document, nullable=True),
        sa.Column("uploaded_at", UtcDateTime(), nullable=False),
        sa.Column("uploaded_by", sa.String(length=128), nullable=False),
        sa.Column("deadline_at", UtcDateTime(), nullable=False),
        sa.Column("special", sa.String(length=2000), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("run_by", sa.String(length=128), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=128), nullable=True),
        sa.Column("confirmed_to", sa.String(length=255), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("emptied", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_client", "imports", ["client", "id"], unique=False)
    op.create_index("ix_imports_due", "imports", ["due_at"], unique=False)
    op.create_table(
        "note_templates",
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("columns", Document, nullable=False),
        sa.Column("encoding", sa.String(length=16), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_note_templates")),
    )
    op.create_table(
        "number_places",
        sa.Column("e164", sa.String(length=20), nullable=False),
        sa.Column("region", Document, nullable=False),
        sa.Column("carrier", Document, nullable=False),
        sa.Column("looked_up_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("e164", name=op.f("pk_number_places")),
    )
    op.create_table(
        "commitments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("client", sa.String(length=128), nullable=False),
        sa.Column("case_id", sa.String(length=128), nullable=False),
        sa.Column("party_id", sa.String(length=128), nullable=True),
        sa.Column("number", sa.String(length=20), nullable=True),
        sa.Column("call_id", sa.String(length=32), nullable=True),
        sa.Column("collector", sa.String(length=128), nullable=True),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=True),
        sa.Column("amount", sa.String(length=16), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_commitments_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitments")),
    )
    op.create_index("ix_commitments_call", "commitments", ["call_id"], unique=False)
    op.create_index("ix_commitments_case", "commitments", ["case_id", "id"], unique=False)
    op.create_index("ix_commitments_open", "commitments", ["state", "day"], unique=False)
    op.create_table(
        "import_chunks",
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_import_chunks_import_id")),
        sa.PrimaryKeyConstraint("import_id", "position", name=op.f("pk_import_chunks")),
    )
    op.create_table(
        "import_rows",
        sa.Column("import_id", sa.String(length=32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=128), nullable=True),
        sa.Column("first_row", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("document", Document, nullable=True),
        sa.Column("problems", Document, nullable=False),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name=op.f("fk_import_rows_import_id")),
        sa.PrimaryKeyConstraint("import_id", "row", name=op.f("pk_import_rows")),
    )
    op.create_index("ix_import_rows_case", "import_rows", ["import_id", "case_id"], unique=False)
    op.create_index("ix_import_rows_outcome", "import_rows", ["import_id", "outcome", "row"], unique=False)
    op.create_index("ix_cases_account", "cases", ["account"], unique=False)
    op.create_index("ix_cases_mandate", "cases", ["mandate_until"], unique=False)
    op.add_column("numbers", sa.Column("extension", sa.String(length=16), nullable=True))
    op.add_column("numbers", sa.Column("mark", Document, nullable=True))
    op.add_column("parties", sa.Column("said", Document, nullable=True))


def downgrade() -> None:
    op.drop_column("parties", "said")
    op.drop_column("numbers", "mark")
    op.drop_column("numbers", "extension")
    op.drop_index("ix_cases_mandate", table_name="cases")
    op.drop_index("ix_cases_account", table_name="cases")
    op.drop_index("ix_import_rows_outcome", table_name="import_rows")
    op.drop_index("ix_import_rows_case", table_name="import_rows")
    op.drop_table("import_rows")
    op.drop_table("import_chunks")
    op.drop_index("ix_commitments_open", table_name="commitments")
    op.drop_index("ix_commitments_case", table_name="commitments")
    op.drop_index("ix_commitments_call", table_name="commitments")
    op.drop_table("commitments")
    op.drop_table("number_places")
    op.drop_table("note_templates")
    op.drop_index("ix_imports_due", table_name="imports")
    op.drop_index("ix_imports_client", table_name="imports")
    op.drop_table("imports")
    op.drop_table("import_mappings")
    op.drop_table("action_code_sets")
