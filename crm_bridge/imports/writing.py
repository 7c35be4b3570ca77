"""A batch of checked cases into the database, in the caller's transaction: all that is new in a few statements.

A case that is known, or shares a person with another one, goes the way of every upsert (`crm_bridge.cases.cases`), inside a
savepoint: what one case is refused for leaves nothing of it and nothing amiss with the others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select
from sqlalchemy.exc import SQLAlchemyError

from config.database import Transaction
from config.errors import Fault, NotFound
from crm_bridge.cases import cases, parties
from crm_bridge.cases.documents import CaseIn
from crm_bridge.imports.findings import finding
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, numbers
from crm_bridge.tables import cases as cases_table
from crm_bridge.tables import parties as parties_table

Done = Literal["created", "updated", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one case, and why where it was refused."""

    outcome: Done
    problems: tuple[dict[str, Any], ...] = ()
    changed: tuple[str, ...] = ()


async def write(
    transaction: Transaction, given: Mapping[str, CaseIn], *, user: User, region: str, now: datetime
) -> dict[str, Written]:
    """Write the cases by their numbers; what became of each."""
    given = await _by_identity(transaction, given)
    people = [party.id for case in given.values() for party in case.parties]
    # All at once and in one order: two imports, or an import and a CRM, cannot wait for each other.
    await transaction.lock([*(f"case:{case_id}" for case_id in given), *(f"person:{one}" for one in people)])
    known = await _known(transaction, cases_table.c.id, given)
    known_people = await _known(transaction, parties_table.c.id, people)
    times = Counter(people)

    def is_plain(case_id: str, case: CaseIn) -> bool:
        new = all(party.id not in known_people and times[party.id] == 1 for party in case.parties)
        return case_id not in known and new

    plain = {case_id: case for case_id, case in given.items() if is_plain(case_id, case)}
    await _create(transaction, plain, user, now)
    done = {case_id: Written("created") for case_id in plain}
    for case_id, case in given.items():
        if case_id not in plain:
            done[case_id] = await _upsert(transaction, case_id, case, user=user, region=region, now=now)
    return done


async def _known(transaction: Transaction, column: Any, wanted: Any) -> set[str]:
    found: set[str] = set()
    names = list(wanted)
    for start in range(0, len(names), 500):
        found |= {row[0] for row in await transaction.all(select(column).where(column.in_(names[start : start + 500])))}
    return found


async def _by_identity(transaction: Transaction, given: Mapping[str, CaseIn]) -> dict[str, CaseIn]:
    """A person is one across cases: who has the identity number of somebody known, or named before, is that somebody."""
    wanted = {party.identity for case in given.values() for party in case.parties if party.identity}
    ids: dict[str, str] = {}
    names = sorted(wanted)
    for start in range(0, len(names), 500):
        known = parties_table.c.identity.in_(names[start : start + 500])
        rows = select(parties_table.c.identity, parties_table.c.id).where(known).order_by(parties_table.c.id)
        for row in await transaction.all(rows):
            ids.setdefault(row.identity, row.id)
    return {case_id: _renamed(case, ids) for case_id, case in given.items()}


def _renamed(case: CaseIn, ids: dict[str, str]) -> CaseIn:
    if not any(party.identity for party in case.parties):
        return case
    people = [
        party.model_copy(update={"id": ids.setdefault(party.identity, party.id)}) if party.identity else party
        for party in case.parties
    ]
    return case.model_copy(update={"parties": people})


async def _create(transaction: Transaction, given: Mapping[str, CaseIn], user: User, now: datetime) -> None:
    """Cases and people that are all new. Their numbers were brought to E.164 when the file was checked."""
    rows: dict[Any, list[dict[str, Any]]] = {cases_table: [], parties_table: [], case_parties: [], numbers: []}
    for case_id, case in given.items():
        rows[cases_table].append(cases.new_row(case_id, case, now))
        for position, party in enumerate(case.parties):
            rows[parties_table].append(parties.new_row(party))
            link = {"case_id": case_id, "party_id": party.id, "relation": party.relation, "position": position}
            rows[case_parties].append(link)
            rows[numbers] += parties.new_number_rows(party.id, {one.e164: one for one in party.numbers})
        cases.journal_upsert(transaction, case_id, case, None, [], user, now)
    for table, values in rows.items():
        if values:
            await transaction.execute(insert(table), values)


async def _upsert(
    transaction: Transaction, case_id: str, case: CaseIn, *, user: User, region: str, now: datetime
) -> Written:
    told = len(transaction.entries)
    try:
        async with transaction.connection.begin_nested():
            is_new = await cases.upsert(transaction, case_id, case, user=user, region=region, now=now)
    except (Fault, SQLAlchemyError) as error:
        del transaction.entries[told:]
        return Written("refused", (_why(error, case_id),))
    changed = _changed(transaction.entries[told:])
    if is_new:
        return Written("created")
    return Written("updated", changed=changed) if len(transaction.entries) > told else Written("unchanged")


def _why(error: Exception, case_id: str) -> dict[str, Any]:
    if isinstance(error, NotFound):
        return finding("not-yours", None, case_id)
    if isinstance(error, Fault):
        return finding("refused", None, case_id, why=error.detail)
    return finding("refused", None, case_id, why=f"the database refused it ({type(error).__name__})")


def _changed(entries: Sequence[Any]) -> tuple[str, ...]:
    return tuple(field for entry in entries if entry.kind == "case.updated" for field in entry.data["changed"])
