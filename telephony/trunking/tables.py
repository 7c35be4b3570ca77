"""What is kept of trunks beside the registry itself (telephony.tables.trunks)."""

from sqlalchemy import Column, Index, Integer, String, Table

from config.schema import Document, Sequence, UtcDateTime, metadata

trunk_files = Table(
    "trunk_files",
    metadata,
    Column("pbx", String(32), primary_key=True),
    Column("changing_since", UtcDateTime),  # a change of the PBX's file is under way, or was left half done
    Column("changing_by", String(32)),  # the process at it; null: nobody any more
)

trunk_health = Table(
    "trunk_health",
    metadata,
    Column("trunk", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # up | degraded | down | unknown
    Column("since", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("seen", Document, nullable=False),  # telephony.trunking.health.Health, without its state
)

trunk_failures = Table(
    "trunk_failures",
    metadata,
    Column("id", Sequence, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("trunk", String(64), nullable=False),
    Column("call_id", String(32), nullable=False),
    Column("cause", Integer, nullable=False),  # Q.850, with which the way failed before anybody was alerted
    Index("ix_trunk_failures_at", "at"),
)

caller_id_pools = Table(
    "caller_id_pools",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("client", String(128)),  # null: every client without a pool of its own
    Column("region", String(16), nullable=False),  # the E.164 prefix of the numbers called; "+": everywhere
    Column("numbers", Document, nullable=False),
    Column("daily_limit", Integer, nullable=False),  # calls a number and day; 0: no limit
    Column("updated_at", UtcDateTime, nullable=False),
    Column("updated_by", String(128), nullable=False),
)

caller_id_loads = Table(
    "caller_id_loads",
    metadata,
    Column("day", String(10), primary_key=True),  # in the zone of the policy, as 2026-06-01
    Column("caller_id", String(20), primary_key=True),
    Column("trunk", String(64), primary_key=True),
    Column("calls", Integer, nullable=False),
)
