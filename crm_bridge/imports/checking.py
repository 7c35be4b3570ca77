"""Checking an upload: each row of the file with what is wrong with it, also beside the other rows and what is here already."""

from collections import Counter
from collections.abc import Mapping as Named
from contextlib import aclosing
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row

from config.database import Database, Transaction
from config.journal import Entry
from crm_bridge.imports import child, uploads
from crm_bridge.imports.claims import Claim
from crm_bridge.imports.findings import finding, has_error
from crm_bridge.imports.tables import import_rows, imports
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases

BATCH = 250
OVER = frozenset({"settled", "closed", "returned"})
ON_CASE = ("account", "mandate_until", "collector")


class Check:
    """One import being checked; `run` to the end, or until somebody else has it."""

    def __init__(self, database: Database, claim: Claim, row: Row[Any], user: User, region: str) -> None:
        self._database, self._claim, self._row, self._user, self._region = database, claim, row, user, region
        self._merges = row.mapping["rows_of_a_case"] == "merge"
        self._refuses_known = row.mapping["known_cases"] == "refuse"
        self._counts: Counter[str] = Counter()
        self._problems: list[dict[str, Any]] = []
        self._file: dict[str, Any] = {}

    async def run(self, now: datetime) -> None:
        """From the first row: a check that broke off is begun anew."""
        async with self._database.write() as transaction:
            await self._claim.hold(transaction)
            await transaction.execute(delete(import_rows).where(import_rows.c.import_id == self._row.id))
        order = {"preview": False, "mapping": self._row.mapping, "client": self._row.client, "region": self._region}
        read = child.lines(lambda path: uploads.write_file(self._database, self._row.id, path), order)
        batch: list[dict[str, Any]] = []
        async with aclosing(read):  # type: ignore[type-var]  # an async generator, annotated as what it is used as
            async for line in read:
                self._file = line.get("file") or self._file
                self._problems += line.get("problems", [])
                batch += [line["row"]] if "row" in line else []
                if len(batch) == BATCH:
                    await self._keep(batch)
                    batch = []
        await self._keep(batch)
        await self._leave_out_cases_with_bad_rows()
        await self._finish(now)

    async def _keep(self, batch: list[dict[str, Any]]) -> None:
        """Put a batch into the database, each row with what the others and the cases here say of it."""
        if not batch:
            return
        async with self._database.write() as transaction:
            first = await self._first_rows(transaction, batch)
            known = await self._known_cases(transaction, batch)
            rows = [self._row_of(one, first, known) for one in batch]
            await transaction.execute(insert(import_rows), rows)
            self._counts["rows"] += len(rows)
            self._counts["last_row"] = batch[-1]["row"]
            await self._claim.hold(transaction, position=batch[-1]["row"], counts=dict(self._counts))

    async def _first_rows(
        self, transaction: Transaction, batch: list[dict[str, Any]]
    ) -> dict[str, tuple[int, dict[str, Any] | None]]:
        names = [one["case_id"] for one in batch if one["case_id"] is not None]
        earlier = (
            select(import_rows.c.case_id, import_rows.c.row, import_rows.c.document)
            .where(import_rows.c.import_id == self._row.id, import_rows.c.case_id.in_(names))
            .where(import_rows.c.first_row.is_(None))
        )
        return {row.case_id: (row.row, row.document) for row in await transaction.all(earlier)}

    async def _known_cases(self, transaction: Transaction, batch: list[dict[str, Any]]) -> dict[str, Row[Any]]:
        names = [one["case_id"] for one in batch if one["case_id"] is not None]
        seen = scope.cases_seen_by(self._user).label("seen")
        rows = select(cases.c.id, cases.c.client, cases.c.state, seen).where(cases.c.id.in_(names))
        return {row.id: row for row in await transaction.all(rows)}

    def _row_of(
        self, one: dict[str, Any], first: dict[str, tuple[int, dict[str, Any] | None]], known: Named[str, Row[Any]]
    ) -> dict[str, Any]:
        case_id, document, problems = one["case_id"], one["document"], one["problems"]
        earlier = first.get(case_id) if case_id is not None else None
        if earlier is not None:
            problems += self._beside(document, *earlier)
        elif case_id is not None:
            first[case_id] = (one["row"], document)
        if case_id in known:
            problems += self._beside_known(known[case_id])
        is_bad = has_error(problems)
        self._counts["bad" if is_bad else "ready"] += 1
        self._counts["warned"] += any(problem["level"] == "warning" for problem in problems)
        self._counts["cases"] += earlier is None and not is_bad
        self._counts["known"] += case_id in known and earlier is None and not is_bad
        return {
            "import_id": self._row.id, "row": one["row"], "case_id": case_id, "problems": problems,
            "first_row": earlier[0] if earlier is not None else None, "outcome": "bad" if is_bad else "ready",
            "document": None if is_bad else document,
        }  # fmt: skip

    def _beside(self, document: dict[str, Any] | None, row: int, other: dict[str, Any] | None) -> list[dict[str, Any]]:
        """What an earlier row of the same case says of this one."""
        if document is not None and document == other:
            return [finding("same-row", row=row)]
        if not self._merges:
            return [finding("same-case", row=row)]
        if document is None or other is None:
            return []
        differing = [key for key in ON_CASE if document.get(key) and other.get(key) and document[key] != other[key]]
        return [finding("differs", row=row, fields=", ".join(differing))] if differing else []

    def _beside_known(self, case: Row[Any]) -> list[dict[str, Any]]:
        if case.client != self._row.client:
            return [finding("other-client", None, case.id)]
        if not case.seen:
            return [finding("not-yours", None, case.id)]
        if self._refuses_known:
            return [finding("known-case", None, case.id)]
        return [finding("not-open", None, case.id, state=case.state)] if case.state in OVER else []

    async def _leave_out_cases_with_bad_rows(self) -> None:
        """Of a case whose rows are merged all go in or none: a part of it would be a case that nobody sent."""
        if not self._merges or not self._counts["bad"]:
            return
        async with self._database.write() as transaction:
            await self._claim.hold(transaction)
            mine = import_rows.c.import_id == self._row.id
            bad = select(import_rows.c.case_id, import_rows.c.row).where(mine, import_rows.c.outcome == "bad")
            broken = {row.case_id: row.row for row in await transaction.all(bad.order_by(import_rows.c.row.desc()))}
            ready = select(import_rows).where(mine, import_rows.c.outcome == "ready")
            several = import_rows.c.case_id.in_(bad.with_only_columns(import_rows.c.case_id))
            for row in await transaction.all(ready.where(several)):
                told = [*row.problems, finding("first-is-bad", row=broken[row.case_id])]
                this = mine & (import_rows.c.row == row.row)
                values: dict[str, Any] = {"outcome": "bad", "problems": told, "document": None}
                await transaction.execute(update(import_rows).where(this).values(**values))
                self._counts["ready"] -= 1
                self._counts["bad"] += 1
                self._counts["cases"] -= row.first_row is None

    async def _finish(self, now: datetime) -> None:
        readable = not has_error(self._problems)
        # A file that cannot be read may still be read by another mapping: another encoding, sheet or row of headings.
        counts = dict(self._counts) | ({} if readable else {"ready": 0})
        preview = {**self._row.preview, **self._file}
        values = {"state": "checked", "counts": counts, "total": self._counts["rows"], "problems": self._problems}
        async with self._database.write() as transaction:
            await self._claim.end(transaction, preview=preview, **values)
            await transaction.execute(update(imports).where(imports.c.id == self._row.id).values(position=0))
            data = {"import_id": self._row.id, "counts": counts, "readable": readable}
            transaction.journal(Entry(now, "import.checked", self._user.name, self._row.client, data=data))
