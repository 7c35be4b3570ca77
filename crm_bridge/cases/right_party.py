"""Who answered (right-party contact, S13): details of a debt unlock once the collector has the debtor on the line.

Somebody else leads to the third-party script, and to what follows for the policy: the number is wrong, or they refuse.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Forbidden, Invalid, NotFound
from config.journal import Entry
from crm_bridge.cases import cases, number_marks, parties
from crm_bridge.cases.facts import OWING
from crm_bridge.people.desk_tables import right_parties
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties
from telephony.policy.facts import Relation
from telephony.tables import calls

Answer = Literal["debtor", "third_party", "unknown"]


class AnsweredBy(BaseModel):
    """Who answered a call."""

    model_config = ConfigDict(extra="forbid")

    answer: Answer = Field(description="debtor: who owes, the guarantor among them")
    party_id: str | None = Field(None, max_length=128, description="who it is, where they are a party of the case")
    case_id: str | None = Field(None, max_length=128, description="for an inbound call that matches several cases")
    relation: Relation | None = Field(None, description="what a third party is to the debtor, where they said so")
    wrong_number: bool = Field(False, description="the number is not this person's: marked invalid, not called again")
    refused: bool = Field(False, description="a third party of the case does not want to be called again")
    note: str | None = Field(None, max_length=2000)


async def unlocked_cases(
    connection: AsyncConnection, user: User, after_call: timedelta, now: datetime
) -> frozenset[str]:
    """The cases whose debtor this user has confirmed on a call that lives, or ended less than `after_call` ago."""
    lately = or_(calls.c.ended_at.is_(None), calls.c.ended_at > now - after_call)
    owing = (
        select(case_parties.c.case_id)
        .join(right_parties, right_parties.c.party_id == case_parties.c.party_id)
        .join(calls, calls.c.id == right_parties.c.call_id)
        .where(right_parties.c.by == user.name, right_parties.c.answer == "debtor", lately)
        .where(case_parties.c.relation.in_(OWING))
    )
    return frozenset(await connection.scalars(owing))


async def confirm(
    transaction: Transaction, call: Row[Any], given: AnsweredBy, *, user: User, after_call: timedelta, now: datetime
) -> Row[Any]:
    """Write down who answered; the newest answer counts, the journal keeps all.

    Raises Forbidden (another's call), Conflict (nobody answered yet, or long ago), Invalid, NotFound.
    """
    await transaction.lock([f"call:{call.id}"])
    _require_on_the_line(call, user, after_call, now)
    party_id, relation = await _who(transaction, call, given, user)
    before = await find(transaction.connection, call.id)
    values = {
        "answer": given.answer, "party_id": party_id, "relation": relation, "wrong_number": given.wrong_number,
        "note": given.note, "by": user.name, "at": now,
    }  # fmt: skip
    if not await transaction.insert_once(right_parties, call_id=call.id, **values):
        await transaction.execute(update(right_parties).where(right_parties.c.call_id == call.id).values(**values))
    data = {key: value for key, value in values.items() if key not in ("by", "at")}
    data |= {"refused": given.refused, "before": before.answer if before is not None else None}
    case_id = call.case_id or given.case_id
    entry = Entry(now, "call.right_party", user.name, call.client, call.agent, case_id, call.id, data)
    transaction.journal(entry)
    await _follow_up(transaction, call, given, party_id, user, now)
    return (await transaction.all(select(right_parties).where(right_parties.c.call_id == call.id)))[0]


async def find(connection: AsyncConnection, call_id: str) -> Row[Any] | None:
    """What was said of who answered a call."""
    return (await connection.execute(select(right_parties).where(right_parties.c.call_id == call_id))).first()


def _require_on_the_line(call: Row[Any], user: User, after_call: timedelta, now: datetime) -> None:
    if call.current_agent != user.name:
        raise Forbidden("only who is on the call can say who answered")
    if call.connected_at is None:
        raise Conflict("nobody has answered this call" + (" yet" if call.ended_at is None else ""))
    if call.ended_at is not None and call.ended_at <= now - after_call:
        raise Conflict("the call ended too long ago to say who answered")


async def _who(
    transaction: Transaction, call: Row[Any], given: AnsweredBy, user: User
) -> tuple[str | None, str | None]:
    """The party that answered and its relation, as far as they are known."""
    known = await _relations(transaction, call, given, user)
    if given.party_id is not None and given.party_id not in known:
        raise _invalid("party_id", "is no party of this case")
    chosen = given.party_id
    if given.answer == "debtor":
        owing = [party for party, relation in known.items() if relation in OWING]
        chosen = chosen or (call.party_id if call.party_id in owing else next(iter(owing), None))
        if chosen is None or chosen not in owing:
            raise _invalid("party_id", "must name who owes: a debtor or guarantor of a case of yours")
        if given.wrong_number or given.refused:
            raise _invalid("answer", "debtor goes neither with wrong_number nor with refused")
        return chosen, known[chosen]
    if chosen is None and given.answer == "third_party" and known.get(call.party_id, "debtor") not in OWING:
        chosen = call.party_id
    if chosen is not None and known[chosen] in OWING:
        raise _invalid("party_id", "names who owes: then the answer is debtor")
    if given.refused and chosen is None:
        raise _invalid("refused", "needs party_id: flag the number with POST /v1/parties/{id}/flags otherwise")
    return chosen, given.relation or (known[chosen] if chosen else None)


async def _relations(transaction: Transaction, call: Row[Any], given: AnsweredBy, user: User) -> dict[str, str]:
    """The parties of the call's case by id, in order; of an inbound call without one, of the case named."""
    case_id = call.case_id or given.case_id
    if case_id is None:
        raise _invalid("case_id", "is needed: the call belongs to no case")
    if given.case_id is not None and given.case_id != call.case_id:
        await cases.find(transaction.connection, given.case_id, user)
        case_id = given.case_id
    mine = select(case_parties).where(case_parties.c.case_id == case_id).order_by(case_parties.c.position)
    return {row.party_id: row.relation for row in await transaction.all(mine)}


async def _follow_up(
    transaction: Transaction, call: Row[Any], given: AnsweredBy, party_id: str | None, user: User, now: datetime
) -> None:
    if given.wrong_number and call.party_id is not None:
        reason = given.note or "told on a call"
        with suppress(NotFound):  # an inbound caller's number need not be on file
            await number_marks.mark(transaction, call.party_id, call.number, "wrong_person", reason, user=user, now=now)
    if given.refused and party_id is not None:
        reason = given.note or "said so on a call"
        await parties.set_flag(transaction, party_id, "refused", True, reason, user=user, now=now)


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"{field} {message}", [{"field": field, "message": message}])
