"""Who listened in on which call, and when."""

from sqlalchemy import Column, Index, String, Table, Text

from config.schema import UtcDateTime, metadata

listenings = Table(
    "listenings",
    metadata,
    Column("id", String(32), primary_key=True),  # the listener's leg has the Uniqueid listen-ID
    Column("call_id", String(32), nullable=False),
    Column("pbx", String(32), nullable=False),
    Column("listener", String(128), nullable=False),
    Column("extension", String(32), nullable=False),
    Column("mode", String(16), nullable=False),  # listen | whisper
    Column("reason", Text),
    Column("asked_at", UtcDateTime, nullable=False),  # before the phone rings
    Column("began_at", UtcDateTime),  # the phone was answered; from here on it hears the call
    Column("ended_at", UtcDateTime),
    Index("ix_listenings_call_id", "call_id"),
    Index("ix_listenings_ended_at", "ended_at"),
)
