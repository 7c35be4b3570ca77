"""Imports: the mapping of each client, the files that came in, and what became of each of their rows."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from config.schema import Document, UtcDateTime, metadata

import_mappings = Table(
    "import_mappings",
    metadata,
    Column("client", String(128), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("mapping", Document, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("client", String(128), nullable=False),
    Column("file_name", String(255), nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column(
        "state", String(12), nullable=False
    ),  # uploaded | checking | checked | trying | running | done | failed | canceled
    Column("mapping_name", String(64)),
    Column("mapping", Document),
    Column("preview", Document, nullable=False),
    Column("problems", Document, nullable=False),  # of the whole file
    Column("position", Integer, nullable=False),  # the last row of the file that has been dealt with
    Column("total", Integer, nullable=False),
    Column("counts", Document, nullable=False),
    Column("tried", Document),  # what the last dry run found
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("uploaded_by", String(128), nullable=False),
    Column("deadline_at", UtcDateTime, nullable=False),
    Column("special", String(2000)),  # why it may take three hours instead of one (S42)
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("run_by", String(128)),
    Column("confirmed_at", UtcDateTime),
    Column("confirmed_by", String(128)),
    Column("confirmed_to", String(255)),
    Column("due_at", UtcDateTime),  # when somebody should take the work up; None: nothing to do
    Column("attempts", Integer, nullable=False),
    Column("emptied", Boolean, nullable=False),  # the file and the documents of its rows are gone again
    Index("ix_imports_client", "client", "id"),
    Index("ix_imports_due", "due_at"),
)

import_chunks = Table(
    "import_chunks",
    metadata,
    Column("import_id", String(32), ForeignKey("imports.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

import_rows = Table(
    "import_rows",
    metadata,
    Column("import_id", String(32), ForeignKey("imports.id"), primary_key=True),
    Column("row", Integer, primary_key=True),  # as the spreadsheet counts, from 1
    Column("case_id", String(128)),
    Column("first_row", Integer),  # the row of this file that named the case first, where it was another one
    Column("outcome", String(10), nullable=False),  # bad | ready | created | updated | unchanged | refused
    Column("document", Document),
    Column("problems", Document, nullable=False),
    Index("ix_import_rows_case", "import_id", "case_id"),
    Index("ix_import_rows_outcome", "import_id", "outcome", "row"),
)
