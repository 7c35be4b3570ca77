"""Reports that are made on their date: what was made, and to whom each is mailed."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from config.schema import Document, UtcDateTime, metadata

period_reports = Table(
    "period_reports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(255), nullable=False, unique=True),  # report:period:client, made once
    Column("report", String(32), nullable=False),
    Column("period", String(16), nullable=False),  # 2026-W23 | 2026-05 | 2026-H1
    Column("client", String(128)),  # null: all clients
    Column("from_at", UtcDateTime, nullable=False),
    Column("until_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime),  # null once it is made
    Column("attempts", Integer, nullable=False),
    Column("state", String(8), nullable=False),  # due | made
    Column("made_at", UtcDateTime),
    Column("figures", Document),  # the few that a message tells
    Column("sections", Document),  # the tables, as they were when it was made
    Index("ix_period_reports_due", "due_at"),
    Index("ix_period_reports_listed", "report", "until_at"),
)

report_mailings = Table(
    "report_mailings",
    metadata,
    Column("report", String(32), primary_key=True),
    Column("client", String(128), primary_key=True),  # empty: the report on all clients
    Column("people", Document, nullable=False),
    Column("addresses", Document, nullable=False),  # of people who are no users here
    Column("language", String(2), nullable=False),  # to those addresses
    Column("enabled", Boolean, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)
