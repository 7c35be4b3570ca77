"""What is kept of the carriers' own records: how each trunk's file is read, each record, and each import."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table

from config.schema import Document, UtcDateTime, metadata

carrier_formats = Table(
    "carrier_formats",
    metadata,
    Column("trunk", String(64), primary_key=True),
    Column("format", Document, nullable=False),  # crm_bridge.carrier.formats.CdrFormat
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

carrier_records = Table(
    "carrier_records",
    metadata,
    Column("id", String(40), primary_key=True),  # of what the row says: the same row of another file is the same record
    Column("trunk", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("number", String(40), nullable=False),  # E.164, or as the carrier writes what is none
    Column("caller_id", String(40)),
    Column("duration", Float),  # seconds
    Column("answered", Boolean, nullable=False),
    Column("cause", String(64)),
    Column("call_id", String(32)),  # of our call that it is about; null: we have none
    Column("leg", String(128)),  # pbx/Uniqueid of the leg
    Column("import_id", String(32), nullable=False),
    Column("line", Integer, nullable=False),
    Index("ix_carrier_records_trunk", "trunk", "started_at"),
    Index("ix_carrier_records_call", "call_id"),
)

carrier_imports = Table(
    "carrier_imports",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("trunk", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("file", String(255), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("by", String(128), nullable=False),
    Column("counts", Document, nullable=False),
    Index("ix_carrier_imports_trunk", "trunk", "at"),
)
