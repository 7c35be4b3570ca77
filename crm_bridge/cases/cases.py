"""Cases: upserted by the CRM, found by number or words, suspended and resumed by people; each change is journalled."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, String, and_, cast, delete, exists, false, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Invalid, NotFound
from config.journal import Entry
from crm_bridge.cases import parties
from crm_bridge.cases.documents import CaseIn
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, cases, numbers
from crm_bridge.tables import parties as parties_table

WHOLE = 10
"""Digits from which on somebody who searches knows the whole number."""
MOST_RELATED = 100
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
        linked = await _link(transaction, case_id, given, region, now)
        changed += ["parties"] if linked else []
    if known is None or changed:
        journal_upsert(transaction, case_id, given, known, changed, user, now)
    return known is None


def _require_distinct(identifiers: list[str]) -> None:
    twice = {identifier for identifier in identifiers if identifiers.count(identifier) > 1}
    if twice:
        message = f"{', '.join(sorted(twice))} is there twice"
        raise Invalid(f"parties: {message}", [{"field": "parties", "message": message}])


def new_row(case_id: str, given: CaseIn, now: datetime) -> dict[str, Any]:
    """The row of a case that is not known yet."""
    stamped = {"id": case_id, "upserted_state": given.state, "created_at": now, "updated_at": now}
    return _values(given, exclude_unset=False) | stamped


def _values(given: CaseIn, *, exclude_unset: bool) -> dict[str, Any]:
    values = given.model_dump(exclude={"parties"}, exclude_unset=exclude_unset)
    if values.get("mandate_until") is not None:
        values["mandate_until"] = values["mandate_until"].isoformat()
    return values


async def _write_case(
    transaction: Transaction, case_id: str, given: CaseIn, known: Row[Any] | None, now: datetime
) -> list[str]:
    if known is None:
        await transaction.execute(insert(cases).values(**new_row(case_id, given, now)))
        return []
    values = _values(given, exclude_unset=True)
    # A CRM repeats what it knows. A state it said before must not undo what was decided at the desk since.
    if "state" in values and values["state"] == known.upserted_state:
        del values["state"]
    elif "state" in values:
        values["upserted_state"] = values["state"]
    changed = [key for key, value in values.items() if known._mapping[key] != value]
    if changed:
        await transaction.execute(update(cases).where(cases.c.id == case_id).values(**values, updated_at=now))
    return changed


async def _link(transaction: Transaction, case_id: str, given: CaseIn, region: str, now: datetime) -> bool:
    """Write the parties and which of them belong to the case, in the order given."""
    mine = select(case_parties).where(case_parties.c.case_id == case_id)
    before = [(row.party_id, row.relation, row.position) for row in await transaction.all(mine)]
    after = [(party.id, party.relation, position) for position, party in enumerate(given.parties)]
    changed = await parties.upsert(transaction, case_id, given.parties, region, now)
    if sorted(before) == sorted(after):
        return bool(changed)
    await transaction.execute(delete(case_parties).where(case_parties.c.case_id == case_id))
    rows = [{"case_id": case_id, "party_id": who, "relation": what, "position": at} for who, what, at in after]
    if rows:
        await transaction.execute(insert(case_parties), rows)
    return True


def journal_upsert(
    transaction: Transaction,
    case_id: str,
    given: CaseIn,
    known: Row[Any] | None,
    changed: list[str],
    user: User,
    now: datetime,
) -> None:
    """The entries of a case that was written: created, updated, its state."""
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
    whole_numbers: bool = False,
    mine: bool = False,
    state: str | None = None,
    client: str | None = None,
    card: str | None = None,
    identity: str | None = None,
    mandate: tuple[date, date] | None = None,
    after: str = "",
    limit: int = 50,
) -> list[Row[Any]]:
    """Cases the user may see, by id, after `after`: every match of an E.164 `number`, of `words`, or all."""
    wanted = [scope.cases_seen_by(user), cases.c.id > after]
    if number is not None:
        wanted.append(_has_party(numbers.c.e164 == number))
    if words is not None:
        wanted.append(_matches(words, whole_numbers))
    if mine:
        wanted.append(cases.c.collector == user.name)
    if state is not None:
        wanted.append(cases.c.state == state)
    if client is not None:
        wanted.append(cases.c.client == client)
    if card is not None:
        wanted.append(_has_card(card))
    if identity is not None:
        person = and_(case_parties.c.case_id == cases.c.id, case_parties.c.party_id == parties_table.c.id)
        wanted.append(exists().where(person, parties_table.c.identity == identity.strip().upper()))
    if mandate is not None:
        wanted.append(cases.c.mandate_until.between(mandate[0].isoformat(), mandate[1].isoformat()))
    return list((await connection.execute(select(cases).where(*wanted).order_by(cases.c.id).limit(limit))).all())


def _has_party(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    linked = and_(case_parties.c.case_id == cases.c.id, case_parties.c.party_id == numbers.c.party_id)
    return exists().where(linked, condition)


def _has_card(card: str) -> ColumnElement[bool]:
    """The case's account, or one of its debts, whole: what is masked cannot be found out by trying parts of it."""
    listed = cast(cases.c.debts, String)
    written = {json.dumps(card), json.dumps(card, ensure_ascii=False)}
    return or_(cases.c.account == card, *(listed.contains(one, autoescape=True) for one in written))


def _matches(words: str, whole_numbers: bool) -> ColumnElement[bool]:
    named = exists().where(
        case_parties.c.case_id == cases.c.id,
        case_parties.c.party_id == parties_table.c.id,
        or_(
            parties_table.c.name.icontains(words, autoescape=True),
            parties_table.c.id == words,
            parties_table.c.identity == words.upper(),
        ),
    )
    found = [cases.c.id.icontains(words, autoescape=True), _has_card(words), named]
    digits = "".join(character for character in words if character.isdigit())
    if len(digits) >= 4 and not any(character.isalpha() for character in words):
        part = numbers.c.e164.contains(digits.lstrip("0") or digits)
        if whole_numbers and len(digits) < WHOLE:  # who sees numbers masked must not find the digits by trying
            part = numbers.c.e164.endswith(digits[-4:]) if len(digits) == 4 else false()
        found.append(_has_party(part))
    return or_(*found)


async def related(connection: AsyncConnection, case_id: str, user: User) -> list[Row[Any]]:
    """The other cases of this case's people that the user may see, open ones first."""
    here, there = case_parties.alias(), case_parties.alias()
    columns = (cases.c.client, cases.c.state, cases.c.collector, cases.c.mandate_until, cases.c.debts)
    listed = (
        select(cases.c.id.label("case_id"), *columns, there.c.party_id, parties_table.c.name, there.c.relation)
        .add_columns(here.c.relation.label("relation_here"))
        .join(there, there.c.case_id == cases.c.id)
        .join(here, and_(here.c.party_id == there.c.party_id, here.c.case_id == case_id))
        .join(parties_table, parties_table.c.id == there.c.party_id)
        .where(cases.c.id != case_id, scope.cases_seen_by(user))
        .order_by((cases.c.state == "open").desc(), cases.c.id)
        .limit(MOST_RELATED)
    )
    return list((await connection.execute(listed)).all())
