"""Fills a database with calls of the past year, straight in SQL, so that a million take seconds."""

import sqlite3
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PERSONS_PER_CALL = 1 / 50
_MOMENT = "strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ((n * 7919) % 31536000) || ' seconds') || '000'"


def fill(path: Path, calls: int) -> None:
    """`calls` ended calls with their contacts, spread over a year and over one person per 50 calls.

    Without journal entries: a million that were never sealed would keep the evidence log busy beside what is measured.
    """
    persons = max(1, int(calls * PERSONS_PER_CALL))
    numbers = f"""WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {calls}),
        past AS (SELECT n, printf('%032x', n) AS id, 'person-' || (n % {persons}) AS person,
                 '+86138' || printf('%08d', n % {persons}) AS number, {_MOMENT} AS at FROM counted)"""
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("PRAGMA cache_size=-400000")
        # Sorted once at the end, an index takes a tenth of what keeping it up row by row takes.
        indices = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('contacts', 'calls') AND sql <> ''"
        kept = database.execute(indices).fetchall()
        for name, _ in kept:
            database.execute(f'DROP INDEX "{name}"')
        database.execute(
            f"""INSERT INTO contacts (id, at, party_id, number, number_kind, debts, account, case_id, direction, channel,
                "by", outcome, consented) {numbers} SELECT id, at, person, number, 'mobile', '["d"]', person, 'past',
                'outbound', 'call', 'us', 'no_answer', 0 FROM past"""
        )
        database.execute(
            f"""INSERT INTO calls (id, direction, state, end_reason, outcome, agent, role, extension, client, case_id,
                party_id, number, purpose, pbx, uniqueid, decision_id, created_at, ended_at, violations) {numbers}
                SELECT id, 'outbound', 'ended', 'no_answer', 'no_answer', 'agent-' || (n % 100), 'collector', '1001',
                'past', 'past', person, number, 'collect', 'lab', id, id, at, at, '[]' FROM past"""
        )
        for _, again in kept:
            database.execute(again)
    database.close()


async def fill_postgres(connection: AsyncConnection, calls: int) -> None:
    """The same in PostgreSQL."""
    persons = max(1, int(calls * PERSONS_PER_CALL))
    past = f"""SELECT n, lpad(to_hex(n), 32, '0') AS id, 'person-' || (n % {persons}) AS person,
        '+86138' || lpad((n % {persons})::text, 8, '0') AS number,
        now() - make_interval(secs => (n * 7919) % 31536000) AS at FROM generate_series(1::bigint, {calls}) AS past(n)"""
    statements = (
        f"""INSERT INTO contacts (id, at, party_id, number, number_kind, debts, account, case_id, direction, channel,
            "by", outcome, consented) SELECT id, at, person, number, 'mobile', '["d"]', person, 'past', 'outbound', 'call',
            'us', 'no_answer', false FROM ({past}) AS rows""",
        f"""INSERT INTO calls (id, direction, state, end_reason, outcome, agent, role, extension, client, case_id,
            party_id, number, purpose, pbx, uniqueid, decision_id, created_at, ended_at, violations)
            SELECT id, 'outbound', 'ended', 'no_answer', 'no_answer', 'agent-' || (n % 100), 'collector', '1001', 'past',
            'past', person, number, 'collect', 'lab', id, id, at, at, '[]' FROM ({past}) AS rows""",
        f"""INSERT INTO journal (at, kind, actor, client, agent, case_id, call_id, data) SELECT at, 'past.call', 'system',
            'past', 'agent', 'past', id, '{{}}' FROM ({past}) AS rows""",
        "INSERT INTO journal_cursors (reader, position) SELECT 'reactions', max(id) FROM journal",
    )
    for statement in statements:
        await connection.execute(text(statement))
