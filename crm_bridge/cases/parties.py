"""Parties and their numbers: written by upserts of their cases, marked by who talks to them, unmarked by supervisors.

A party is one person, shared by all its cases. Whatever protects the person is only ever added by an upsert.
"""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import and_, delete, exists, insert, select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import Forbidden, Invalid, NotFound
from config.journal import Entry
from crm_bridge.cases.documents import NumberIn, PartyIn
from crm_bridge.notes import wishes
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, cases, numbers, parties
from telephony.numbers import InvalidNumber, read_number

FLAGS = ("refused", "cease", "attorney", "deceased", "minor", "do_not_call")
MOMENTS = {"refused": "refused_at", "cease": "cease_at"}
PLAIN = ("name", "deceased", "minor", "household", "identity")
MAY_CLEAR = frozenset({"supervisor", "admin"})


def normalised(party: PartyIn, region: str) -> dict[str, NumberIn]:
    """The party's numbers by E.164, in the order given. Raises InvalidNumber naming the party and the number."""
    found: dict[str, NumberIn] = {}
    for index, number in enumerate(party.numbers):
        try:
            written = read_number(number.e164, region)
        except InvalidNumber as fault:
            field = f"parties.{party.id}.numbers.{index}.e164"
            errors = [{"field": field, "message": fault.detail}]
            raise InvalidNumber(f"party {party.id}: {fault.detail}", errors=errors, party_id=party.id) from fault
        if written.extension and not number.extension:
            number = number.model_copy(update={"extension": written.extension})
        if written.e164 not in found or number.do_not_call:
            found[written.e164] = number
    return found


async def upsert(transaction: Transaction, case_id: str, given: list[PartyIn], region: str, now: datetime) -> list[str]:
    """Write the parties of a case and their numbers; returns the ids of those that are new or changed."""
    by_number = {party.id: normalised(party, region) for party in given}
    identifiers = list(by_number)
    known = {row.id: row for row in await transaction.all(select(parties).where(parties.c.id.in_(identifiers)))}
    listed: dict[str, dict[str, Row[Any]]] = {identifier: {} for identifier in identifiers}
    for row in await transaction.all(select(numbers).where(numbers.c.party_id.in_(identifiers))):
        listed[row.party_id][row.e164] = row
    changed = []
    for party in given:
        wrote = await _write_party(transaction, party, known.get(party.id), now)
        if "numbers" in party.model_fields_set or party.id not in known:
            wrote |= await _write_numbers(transaction, case_id, party.id, by_number[party.id], listed[party.id])
        if wrote:
            changed.append(party.id)
    return changed


def new_row(party: PartyIn) -> dict[str, Any]:
    """The row of a person who is not known yet."""
    return {"id": party.id, "flags": {}, **_given(party)}


def new_number_rows(party_id: str, given: dict[str, NumberIn]) -> list[dict[str, Any]]:
    """The rows of the numbers, by E.164, of a person who had none, in the order given."""
    return [
        {"party_id": party_id, "e164": e164, **number.model_dump(exclude={"e164"}), "position": position}
        for position, (e164, number) in enumerate(given.items())
    ]


def _given(party: PartyIn) -> dict[str, Any]:
    documents = {"locations", "agreements", "inconvenient"}
    given = party.model_dump(mode="json", by_alias=True, exclude_none=True, include=documents)
    given |= {key: getattr(party, key) for key in (*MOMENTS.values(), *PLAIN)}
    return given | {"attorney": bool(party.attorney)}


async def _write_party(transaction: Transaction, party: PartyIn, known: Row[Any] | None, now: datetime) -> bool:
    if known is None:
        await transaction.execute(insert(parties).values(**new_row(party)))
        return True
    given = _given(party)
    values = {key: value for key, value in given.items() if key in party.model_fields_set}
    for field in ("cease_at", "refused_at"):  # never cleared, and of two the earlier one protects more
        moments = [moment for moment in (values.get(field), known._mapping[field]) if moment is not None]
        values[field] = min(moments, default=None)
    for flag in ("attorney", "deceased", "minor"):  # what the desk marked is not the CRM's to unmark
        if flag in values:
            values[flag] = values[flag] or flag in known.flags
    values = wishes.with_said(values, known.said, now)
    if all(known._mapping[key] == value for key, value in values.items()):
        return False
    await transaction.execute(update(parties).where(parties.c.id == party.id).values(**values))
    return True


async def _write_numbers(
    transaction: Transaction, case_id: str, party_id: str, given: dict[str, NumberIn], known: dict[str, Row[Any]]
) -> bool:
    changed = False
    for position, (e164, number) in enumerate(given.items()):
        row = known.get(e164)
        values = number.model_dump(exclude={"e164"}, exclude_unset=row is not None) | {"position": position}
        if row is None:
            await transaction.execute(insert(numbers).values(party_id=party_id, e164=e164, **values))
        else:
            values["do_not_call"] = number.do_not_call or row.do_not_call
            if row.mark is not None:  # what was found out at the desk is not the CRM's to take back
                values.pop("status", None)
            if all(row._mapping[key] == value for key, value in values.items()):
                continue
            await transaction.execute(update(numbers).where(_is(party_id, e164)).values(**values))
        changed = True
    # Unlisted numbers go, but do-not-call is remembered.
    unlisted = {e164 for e164, row in known.items() if e164 not in given and not row.do_not_call}
    return await _drop(transaction, case_id, party_id, unlisted) or changed


async def _drop(transaction: Transaction, case_id: str, party_id: str, unlisted: set[str]) -> bool:
    """Take numbers away, unless the person has another case, which may know numbers that this one does not."""
    if not unlisted:
        return False
    others = select(case_parties.c.case_id).where(
        case_parties.c.party_id == party_id, case_parties.c.case_id != case_id
    )
    if await transaction.first(others.limit(1)) is not None:
        return False
    await transaction.execute(delete(numbers).where(numbers.c.party_id == party_id, numbers.c.e164.in_(unlisted)))
    return True


def _is(party_id: str, e164: str) -> Any:
    return and_(numbers.c.party_id == party_id, numbers.c.e164 == e164)


async def find(transaction: Transaction, party_id: str, user: User) -> Row[Any]:
    """A party of a case that the user may see. Raises NotFound."""
    seen = exists().where(
        case_parties.c.party_id == parties.c.id, case_parties.c.case_id == cases.c.id, scope.cases_seen_by(user)
    )
    row = await transaction.first(select(parties).where(parties.c.id == party_id, seen))
    if row is None:
        raise NotFound(f"there is no party {party_id}")
    return row


async def set_flag(
    transaction: Transaction,
    party_id: str,
    flag: str,
    value: bool | AwareDatetime,
    reason: str,
    *,
    number: str | None = None,
    user: User,
    now: datetime,
) -> None:
    """Set a flag, or clear it (`value` false; supervisors and admins only). A moment is when the party said so.

    `do_not_call` marks `number`, or all the party's numbers. Raises NotFound, Forbidden, Invalid.
    """
    await transaction.lock([f"person:{party_id}"])
    party = await find(transaction, party_id, user)
    if value is False and user.role not in MAY_CLEAR:
        raise Forbidden("a flag is cleared by a supervisor")
    if isinstance(value, datetime) and flag not in MOMENTS:
        raise Invalid("value must be true or false", [{"field": "value", "message": "must be true or false"}])
    marks = {key: mark for key, mark in party.flags.items() if key != flag}
    if value is not False and number is None:
        marks[flag] = {"by": user.name, "at": now.isoformat(), "reason": reason}
    values: dict[str, Any] = {"flags": marks}
    if flag == "do_not_call":
        await _mark_numbers(transaction, party_id, number, value is not False)
    else:
        values |= _flag_columns(party, flag, value, now)
    await transaction.execute(update(parties).where(parties.c.id == party_id).values(**values))
    shown = value.isoformat() if isinstance(value, datetime) else value
    data = {"party_id": party_id, "flag": flag, "value": shown, "reason": reason, "number": number}
    transaction.journal(Entry(now, "party.flagged", user.name, agent=user.name, data=data))


def _flag_columns(party: Row[Any], flag: str, value: bool | datetime, now: datetime) -> dict[str, Any]:
    column = MOMENTS.get(flag)
    if column is None:
        return {flag: bool(value)}
    if value is False:
        return {column: None}
    said = value if isinstance(value, datetime) else now
    return {column: min(said, party._mapping[column] or said)}


async def _mark_numbers(transaction: Transaction, party_id: str, number: str | None, value: bool) -> None:
    which = numbers.c.party_id == party_id if number is None else _is(party_id, number)
    marked = await transaction.execute(update(numbers).where(which).values(do_not_call=value))
    if number is not None and marked.rowcount == 0:
        raise NotFound(f"party {party_id} has no number {number}")
