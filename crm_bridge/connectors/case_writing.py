"""What was read of a CRM written into our cases: merged with what is here, removed ones marked, conflicts told."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import SQLAlchemyError

from config.database import Transaction
from config.errors import Conflict, Fault, NotFound
from crm_bridge.cases import cases
from crm_bridge.cases.documents import CaseIn
from crm_bridge.connectors import conflict_book
from crm_bridge.connectors.mapping import TrytonMapping
from crm_bridge.connectors.merging import FIELDS, Merged, Ours, merge
from crm_bridge.connectors.problems import Problem, problem
from crm_bridge.connectors.reading import Reading
from crm_bridge.connectors.tables import records
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, numbers
from crm_bridge.tables import cases as cases_table

REMOVED_REASON = "the case is not in the CRM any more"
AFTER = {"returned": "return", "closed": "close"}
OVER = frozenset({"returned", "closed", "settled"})


def crm_user(connector: Row[Any]) -> User:
    """Who writes what a connector brings: in the journal and before every rule of who may see what."""
    return User(f"connector.{connector.id}", "crm", clients=(connector.client,))


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one record: created, updated, unchanged or left_out; what the CRM is known to have said; conflicts."""

    what: str
    base: dict[str, Any]
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class CaseWriting:
    """Writes within one transaction of a pull. `region` is whose numbers those without a country code are."""

    connector: Row[Any]
    mapping: TrytonMapping
    region: str
    now: datetime

    async def write(
        self, transaction: Transaction, readings: Sequence[Reading], parts: Mapping[str, str]
    ) -> Counter[str]:
        """Write a page of records; how many were created, updated, unchanged, left out, and conflicts that are new."""
        people = [who["id"] for one in readings if one.document for who in one.document["parties"]]
        named = [one.case_id for one in readings if one.case_id is not None]
        await transaction.lock([*(f"case:{name}" for name in named), *(f"person:{name}" for name in people)])
        known = await self._known(transaction, [one.record for one in readings])
        owners = await self._owners(transaction, named)
        counts: Counter[str] = Counter()
        for one in readings:
            other = owners.setdefault(one.case_id, one.record) if one.case_id is not None else one.record
            if other != one.record:
                done = _Done("left_out", {}, [*one.problems, problem("same-case", "case_id", other=other)])
            else:
                done = await self._one(transaction, one, known.get(one.record))
            counts[done.what] += 1
            await self._remember(transaction, one, parts.get(one.record, ""), done.base)
            counts["conflicts"] += await conflict_book.settle(
                transaction, self.connector, one.record, one.case_id, done.problems, self.now
            )
        return +counts

    async def _known(self, transaction: Transaction, names: Collection[str]) -> dict[str, Row[Any]]:
        mine = (records.c.connector_id == self.connector.id) & records.c.record.in_(names)
        return {row.record: row for row in await transaction.all(select(records).where(mine))}

    async def _owners(self, transaction: Transaction, named: Collection[str]) -> dict[str, str]:
        mine = (
            (records.c.connector_id == self.connector.id)
            & records.c.case_id.in_(named)
            & records.c.removed_at.is_(None)
        )
        return {row.case_id: row.record for row in await transaction.all(select(records).where(mine))}

    async def _one(self, transaction: Transaction, reading: Reading, known: Row[Any] | None) -> _Done:
        base = dict(known.base) if known is not None else {}
        if reading.case_id is None or reading.document is None:
            return _Done("left_out", base, reading.problems)
        row = await transaction.first(select(cases_table).where(cases_table.c.id == reading.case_id))
        if row is not None and row.client != self.connector.client:
            return _Done("left_out", base, [*reading.problems, problem("other-client", "case_id")])
        if row is None and "state" not in reading.document:
            return _Done("left_out", base, reading.problems)
        if row is not None and not base:
            base = {"state": row.upserted_state}
        ours = await self._ours(transaction, row) if row is not None else None
        merged = merge(reading.document, base, ours, self.mapping)
        what, refused = await self._upsert(transaction, reading.case_id, merged)
        return _Done(what, base if refused else merged.base, [*reading.problems, *merged.problems, *refused])

    async def _ours(self, transaction: Transaction, row: Row[Any]) -> Ours:
        linked = select(case_parties).where(case_parties.c.case_id == row.id).order_by(case_parties.c.position)
        people = {one.party_id: one.relation for one in await transaction.all(linked)}
        listed: dict[str, list[str]] = {}
        theirs = select(numbers).where(numbers.c.party_id.in_(people)).order_by(numbers.c.position)
        for one in await transaction.all(theirs):
            listed.setdefault(one.party_id, []).append(one.e164)
        return Ours({name: row._mapping[name] for name in FIELDS}, people, listed)

    async def _upsert(self, transaction: Transaction, case_id: str, merged: Merged) -> tuple[str, list[Problem]]:
        told = len(transaction.entries)
        try:
            async with transaction.connection.begin_nested():
                given = CaseIn.model_validate(merged.document)
                user = crm_user(self.connector)
                is_new = await cases.upsert(transaction, case_id, given, user=user, region=self.region, now=self.now)
        except (Fault, SQLAlchemyError, ValidationError) as error:
            del transaction.entries[told:]
            why = error.detail if isinstance(error, Fault) else type(error).__name__
            return "left_out", [problem("refused", "case", why=why)]
        if is_new:
            return "created", []
        return ("updated" if len(transaction.entries) > told else "unchanged"), []

    async def _remember(self, transaction: Transaction, reading: Reading, parts: str, base: dict[str, Any]) -> None:
        values = {
            "case_id": reading.case_id if base else None, "digest": reading.digest, "parts": parts, "base": base,
            "seen_at": self.now, "removed_at": None,
        }  # fmt: skip
        key = {"connector_id": self.connector.id, "record": reading.record}
        if not await transaction.insert_once(records, **key, **values):
            mine = (records.c.connector_id == self.connector.id) & (records.c.record == reading.record)
            await transaction.execute(update(records).where(mine).values(**values))

    async def mark_removed(self, transaction: Transaction, gone: Sequence[Row[Any]]) -> int:
        """Cases whose records are in the CRM no more: returned or closed as the mapping says, never deleted."""
        for row in gone:
            base = row.base
            if row.case_id is not None:
                await self._end_case(transaction, row.case_id)
                base = {**row.base, "state": self.mapping.state.removed}
            mine = (records.c.connector_id == self.connector.id) & (records.c.record == row.record)
            values = {"removed_at": self.now, "digest": "", "base": base}
            await transaction.execute(update(records).where(mine).values(**values))
            await conflict_book.settle(transaction, self.connector, row.record, row.case_id, [], self.now)
        return len(gone)

    async def _end_case(self, transaction: Transaction, case_id: str) -> None:
        state = self.mapping.state.removed
        await transaction.lock([f"case:{case_id}"])
        row = await transaction.first(select(cases_table).where(cases_table.c.id == case_id))
        if row is None or row.client != self.connector.client:
            return
        said = update(cases_table).where(cases_table.c.id == case_id).values(upserted_state=state)
        await transaction.execute(said)
        if row.state in OVER:
            return
        try:
            await cases.change_state(
                transaction,
                case_id,
                "close" if state == "closed" else "return",
                REMOVED_REASON,
                user=crm_user(self.connector),
                now=self.now,
            )
        except (Conflict, NotFound):
            return
