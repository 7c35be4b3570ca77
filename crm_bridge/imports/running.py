"""Importing the rows that were found good: batch by batch, each batch one transaction, from where the last one ended.

A dry run does the very same and takes every batch back.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Database, Transaction
from config.journal import Entry
from crm_bridge.cases.documents import CaseIn
from crm_bridge.imports import writing
from crm_bridge.imports.claims import Claim
from crm_bridge.imports.tables import import_rows
from crm_bridge.imports.writing import Written
from crm_bridge.people.users import User

BATCH = 50
"""Cases a transaction: on SQLite nobody else writes meanwhile, and a click must not wait long."""
EXAMPLES = 50


class _TakenBack(Exception):
    """Ends the transaction of a batch that was only tried."""


class Run:
    """One import being written, or tried; `run` to the end, or until somebody else has it."""

    def __init__(self, database: Database, claim: Claim, row: Row[Any], user: User, region: str) -> None:
        self._database, self._claim, self._row, self._user, self._region = database, claim, row, user, region
        self._dry = row.state == "trying"
        self._counts: Counter[str] = Counter({} if self._dry else row.counts)
        self._examples: list[dict[str, Any]] = []
        self._position: int = row.position

    async def run(self, now: datetime) -> None:
        """Batch by batch from `position` on."""
        if self._dry:
            self._position = 0  # what was counted is not kept: a dry run that broke off begins anew
        while True:
            rows = await self._next()
            if not rows:
                return await self._finish(now)
            await (self._try(rows, now) if self._dry else self._write(rows, now))

    async def _next(self) -> Sequence[Row[Any]]:
        """The first rows of the next cases."""
        wanted = (
            select(import_rows)
            .where(import_rows.c.import_id == self._row.id, import_rows.c.outcome == "ready")
            .where(import_rows.c.first_row.is_(None), import_rows.c.row > self._position)
        )
        async with self._database.read() as connection:
            found: Sequence[Row[Any]] = (
                await connection.execute(wanted.order_by(import_rows.c.row).limit(BATCH))
            ).all()
        return found

    async def _write(self, rows: Sequence[Row[Any]], now: datetime) -> None:
        async with self._database.write() as transaction:
            done = await self._batch(transaction, rows, now)
            counts = Counter(self._counts)
            counts.update(written.outcome for written in done.values())
            await self._mark(transaction, rows, done)
            await self._claim.hold(transaction, position=rows[-1].row, counts=dict(counts))
        self._counts, self._position = counts, rows[-1].row

    async def _try(self, rows: Sequence[Row[Any]], now: datetime) -> None:
        done: dict[str, Written] = {}
        try:
            async with self._database.write() as transaction:
                done = await self._batch(transaction, rows, now)
                raise _TakenBack
        except _TakenBack:
            self._counts.update(written.outcome for written in done.values())
        for row in rows:
            written = done[row.case_id]
            if written.outcome in ("updated", "refused") and len(self._examples) < EXAMPLES:
                told = {"row": row.row, "case_id": row.case_id, "outcome": written.outcome}
                self._examples.append({**told, "changed": written.changed, "problems": written.problems})
        self._position = rows[-1].row
        async with self._database.write() as transaction:
            await self._claim.hold(transaction, position=self._position)

    async def _batch(self, transaction: Transaction, rows: Sequence[Row[Any]], now: datetime) -> dict[str, Written]:
        documents = {row.case_id: [row.document] for row in rows}
        for row in await self._merged_into(transaction, documents):
            documents[row.case_id].append(row.document)
        given = {case_id: CaseIn.model_validate(merged(several)) for case_id, several in documents.items()}
        return await writing.write(transaction, given, user=self._user, region=self._region, now=now)

    async def _merged_into(self, transaction: Transaction, case_ids: Collection[str]) -> list[Row[Any]]:
        """The later rows of these cases, where rows of one case belong together."""
        if self._row.mapping["rows_of_a_case"] != "merge":
            return []
        mine = (import_rows.c.import_id == self._row.id) & import_rows.c.case_id.in_(case_ids)
        later = select(import_rows).where(mine, import_rows.c.first_row.is_not(None)).order_by(import_rows.c.row)
        # Not asked by outcome: a planner would then read all rows of that outcome for each batch.
        return [row for row in await transaction.all(later) if row.outcome == "ready"]

    async def _mark(self, transaction: Transaction, rows: Sequence[Row[Any]], done: dict[str, Written]) -> None:
        """Say on each row what became of it, by its key; rows that were merged into another go with it."""
        became: dict[str, list[int]] = {}
        for row in [*rows, *await self._merged_into(transaction, done)]:
            became.setdefault(done[row.case_id].outcome, []).append(row.row)
        mine = import_rows.c.import_id == self._row.id
        for outcome, numbers in became.items():
            these = mine & import_rows.c.row.in_(numbers)
            await transaction.execute(update(import_rows).where(these).values(outcome=outcome))
        for row in rows:
            if done[row.case_id].problems:
                told = [*row.problems, *done[row.case_id].problems]
                this = mine & (import_rows.c.row == row.row)
                await transaction.execute(update(import_rows).where(this).values(problems=told))

    async def _finish(self, now: datetime) -> None:
        async with self._database.write() as transaction:
            if self._dry:
                tried = {"at": now.isoformat(), "counts": dict(self._counts), "examples": self._examples}
                await self._claim.end(transaction, state="checked", tried=tried, position=0)
                data = {"import_id": self._row.id, "counts": tried["counts"]}
                transaction.journal(Entry(now, "import.tried", self._user.name, self._row.client, data=data))
                return
            await self._claim.end(transaction, state="done", finished_at=now)
            data = {"import_id": self._row.id, "counts": dict(self._counts)}
            transaction.journal(Entry(now, "import.done", self._user.name, self._row.client, data=data))


def merged(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several rows of one case as one document: what the first says, the debts and people of all."""
    whole = {**documents[0]}
    people: dict[str, dict[str, Any]] = {}
    taken: set[str] = set()
    for document in documents:
        for key, value in document.items():
            if key == "debts":
                whole[key] = list(dict.fromkeys([*whole.get(key, []), *value]))
            elif key != "parties":
                whole.setdefault(key, value)
        for party in document["parties"]:
            same = next((one for one in people.values() if _is_same(one, party)), None)
            if same is None:
                fresh = {**party, "id": _free_id(party["id"], taken)}
                people[fresh["id"]] = fresh
                taken.add(fresh["id"])
            else:
                _add(same, party)
    return {**whole, "parties": list(people.values())}


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rows speak of one person: both of the debtor, or by identity number, else by name and relation."""
    if one["relation"] != other["relation"]:
        return False
    if one["relation"] == "debtor":
        return True
    if one.get("identity") and other.get("identity"):
        return bool(one["identity"] == other["identity"])
    return bool(one.get("name")) and one.get("name") == other.get("name")


def _free_id(wanted: str, taken: set[str]) -> str:
    """`case-p1` of the second row is somebody else than `case-p1` of the first."""
    found, count = wanted, 1
    while found in taken:
        count += 1
        found = f"{wanted[:120]}-{count}"
    return found


def _add(known: dict[str, Any], party: dict[str, Any]) -> None:
    for key, value in party.items():
        if key == "numbers":
            there = {number["e164"] for number in known.get("numbers", [])}
            known["numbers"] = [*known.get("numbers", []), *(one for one in value if one["e164"] not in there)]
        elif key != "id":
            known.setdefault(key, value)
