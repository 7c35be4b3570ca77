"""Cases: upserted by the CRM, found by number or words, suspended and resumed by people; each change is journalled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Invalid, NotFound
from config.journal import Entry
from crm_bridge import parties, scope
from crm_bridge.case_documents import CaseIn
from crm_bridge.tables import case_parties, cases, numbers
from crm_bridge.tables import parties as parties_table
from crm_bridge.users import User

StateAction = Literal["suspend", "resume", "settle", "close", "return"]
STATE_AFTER: Mapping[StateAction, str] = {
    "suspend": "suspended",
    "resume": "open",
    "settle": "settled",
    "close": "closed",
    "return": "returned",
}


async def find(connection: AsyncConnection, case_id: str, user: User) -> Row[Any]:
    """The case, if the user may see it. Raises NotFound."""
    statement = select(cases).where(cases.c.id == case_id, scope.cases_seen_by(user))
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFound(f"there is no case {case_id}")
    return row


async def upsert(
    transaction: Transaction, case_id: str, given: CaseIn, *, user: User, region: str, now: datetime
) -> bool:
    """Write a case as the CRM knows it; True when it is new.

    Raises Forbidden (not the user's client), NotFound (not the user's case), Conflict (it belongs to another client),
    InvalidNumber, Invalid.
    """
    scope.require_client(user, given.client)
    _require_distinct([party.id for party in given.parties])
    await transaction.lock([f"case:{case_id}", *(f"person:{party.id}" for party in given.parties)])
    known = await transaction.first(select(cases).where(cases.c.id == case_id))
    if known is not None:
        await find(transaction.connection, case_id, user)
    if known is not None and known.client != given.client:
        raise Conflict(f"case {case_id} belongs to another client")
    changed = await _write_case(transaction, case_id, given, known, now)
    if known is None or "parties" in given.model_fields_set:
        linked = await _link(transaction, case_id, given, region)
        changed += ["parties"] if linked else []
    if known is None or changed:
        _journal_upsert(transaction, case_id, given, known, changed, user, now)
    return known is None


def _require_distinct(identifiers: list[str]) -> None:
    twice = {identifier for identifier in identifiers if identifiers.count(identifier) > 1}
    if twice:
        message = f"{', '.join(sorted(twice))} is there twice"
        raise Invalid(f"parties: {message}", [{"field": "parties", "message": message}])


async def _write_case(
    transaction: Transaction, case_id: str, given: CaseIn, known: Row[Any] | None, now: datetime
) -> list[str]:
    values = given.model_dump(exclude={"parties"}, exclude_unset=known is not None)
    if values.get("mandate_until") is not None:
        values["mandate_until"] = values["mandate_until"].isoformat()
    if known is None:
        row = {**values, "id": case_id, "upserted_state": given.state, "created_at": now, "updated_at": now}
        await transaction.execute(insert(cases).values(**row))
        return []
    # A CRM repeats what it knows. A state it said before must not undo what was decided at the desk since.
    if "state" in values and values["state"] == known.upserted_state:
        del values["state"]
    elif "state" in values:
        values["upserted_state"] = values["state"]
    changed = [key for key, value in values.items() if known._mapping[key] != value]
    if changed:
        await transaction.execute(update(cases).where(cases.c.id == case_id).values(**values, updated_at=now))
    return changed


async def _link(transaction: Transaction, case_id: str, given: CaseIn, region: str) -> bool:
    """Write the parties and which of them belong to the case, in the order given."""
    mine = select(case_parties).where(case_parties.c.case_id == case_id)
    before = [(row.party_id, row.relation, row.position) for row in await transaction.all(mine)]
    after = [(party.id, party.relation, position) for position, party in enumerate(given.parties)]
    changed = await parties.upsert(transaction, case_id, given.parties, region)
    if sorted(before) == sorted(after):
        return bool(changed)
    await transaction.execute(delete(case_parties).where(case_parties.c.case_id == case_id))
    rows = [{"case_id": case_id, "party_id": who, "relation": what, "position": at} for who, what, at in after]
    if rows:
        await transaction.execute(insert(case_parties), rows)
    return True


def _journal_upsert(
    transaction: Transaction,
    case_id: str,
    given: CaseIn,
    known: Row[Any] | None,
    changed: list[str],
    user: User,
    now: datetime,
) -> None:
    collector = given.collector if known is None or "collector" in changed else known.collector

    def write(kind: str, data: dict[str, Any]) -> None:
        transaction.journal(Entry(now, kind, user.name, given.client, collector, case_id, data=data))

    write("case.created" if known is None else "case.updated", {"state": given.state, "changed": changed})
    if known is not None and "state" in changed:
        _journal_state(write, known.state, given.state, "told by the CRM")


def _journal_state(write: Any, before: str, after: str, reason: str) -> None:
    data = {"from": before, "to": after, "reason": reason}
    write("case.state", data)
    if after == "open":
        write("case.resumed", data)
    elif before == "open":
        write("case.suspended", data)


async def change_state(
    transaction: Transaction, case_id: str, action: StateAction, reason: str, *, user: User, now: datetime
) -> None:
    """Suspend, resume, settle, close or return a case, with the reason. Raises NotFound; Conflict if it is so."""
    await transaction.lock([f"case:{case_id}"])
    known = await find(transaction.connection, case_id, user)
    target = STATE_AFTER[action]
    if known.state == target:
        raise Conflict(f"case {case_id} is {target} already")
    await transaction.execute(update(cases).where(cases.c.id == case_id).values(state=target, updated_at=now))

    def write(kind: str, data: dict[str, Any]) -> None:
        transaction.journal(Entry(now, kind, user.name, known.client, known.collector, case_id, data=data))

    _journal_state(write, known.state, target, reason)


async def search(
    connection: AsyncConnection,
    user: User,
    *,
    number: str | None = None,
    words: str | None = None,
    mine: bool = False,
    state: str | None = None,
    client: str | None = None,
    after: str = "",
    limit: int = 50,
) -> list[Row[Any]]:
    """Cases the user may see, by id, after `after`: every match of an E.164 `number`, of `words`, or all."""
    wanted = [scope.cases_seen_by(user), cases.c.id > after]
    if number is not None:
        wanted.append(_has_party(numbers.c.e164 == number))
    if words is not None:
        wanted.append(_matches(words))
    if mine:
        wanted.append(cases.c.collector == user.name)
    if state is not None:
        wanted.append(cases.c.state == state)
    if client is not None:
        wanted.append(cases.c.client == client)
    return list((await connection.execute(select(cases).where(*wanted).order_by(cases.c.id).limit(limit))).all())


def _has_party(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    linked = and_(case_parties.c.case_id == cases.c.id, case_parties.c.party_id == numbers.c.party_id)
    return exists().where(linked, condition)


def _matches(words: str) -> ColumnElement[bool]:
    named = exists().where(
        case_parties.c.case_id == cases.c.id,
        case_parties.c.party_id == parties_table.c.id,
        or_(parties_table.c.name.icontains(words, autoescape=True), parties_table.c.id == words),
    )
    found = [cases.c.id.icontains(words, autoescape=True), cases.c.account == words, named]
    digits = "".join(character for character in words if character.isdigit())
    if len(digits) >= 4 and not any(character.isalpha() for character in words):
        found.append(_has_party(numbers.c.e164.contains(digits.lstrip("0") or digits)))
    return or_(*found)
