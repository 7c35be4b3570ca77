"""What is kept of an inbound call beside its row: which number it came to, whose phones may answer, whom it may be from."""

from sqlalchemy import Boolean, Column, ForeignKey, String, Table

from config.schema import Document, metadata

inbound_calls = Table(
    "inbound_calls",
    metadata,
    Column("call_id", String(32), ForeignKey("calls.id"), primary_key=True),
    Column("did", String(20), nullable=False),  # as the route has it, else the digits that the carrier sent
    Column("caller", String(20), nullable=False),  # the digits that the carrier sent; empty: nobody's
    Column("carrier", String(64), nullable=False),  # the endpoint by which it came
    Column("phones", Document, nullable=False),  # {endpoint: {agent, role, matches}}: who it is when that phone answers
    Column("matches", Document, nullable=False),  # [{case_id, client, collector, party_id, relation}], every one
    Column(
        "answer", String(16), nullable=False
    ),  # ring | closed | nobody | no-route: what the service said; alone: nothing in time
    Column("adopted", Boolean, nullable=False),  # the PBX handled it by itself, and told us afterwards
)
