"""To whom a call may be handed on: what the page, or a program, names as a target, and who or which number that is."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Fault, Invalid, NotFound
from crm_bridge import typed_numbers
from crm_bridge.people import groups
from crm_bridge.people.groups import Person
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, numbers, users
from telephony.dialling.gathering import Subject
from telephony.dialling.phones import AgentBusy, AgentUnavailable
from telephony.gate import allowed_numbers
from telephony.live.transfers import Inside, Outside
from telephony.numbers import InvalidNumber, normalise
from telephony.pbx import Pbx

CALLERS = ("collector", "supervisor")


class NoCase(Fault):
    """No case that the collector may see holds the outside number: nothing says that it may be called."""

    code = "policy-denied"
    status = 403
    title = "This call is not allowed now"


async def inside(
    connection: AsyncConnection, to: str | Sequence[str], call: Row[Any], pbx: Pbx, first_pbx: str
) -> Inside | None:
    """The free phones of the colleague, the list of colleagues or the group named; None where `to` names nobody inside.

    Raises NotFound for a name in a list that is nobody's, AgentUnavailable and AgentBusy where no phone can ring.
    """
    people = await _named(connection, to, first_pbx, call.pbx)
    if people is None:
        return None
    allowed = await _for_client(connection, people, call.client)
    here = [person for person in allowed if (person.pbx or first_pbx) == call.pbx]
    others = [person for person in here if person.name != call.current_agent]
    label = to if isinstance(to, str) else ", ".join(to)
    if not others:
        raise AgentUnavailable(f"{label}: nobody there may take this call on a phone of this telephone system")
    return Inside(label, {person.extension: person.name for person in _free(others, pbx)})


async def _named(connection: AsyncConnection, to: str | Sequence[str], first_pbx: str, pbx: str) -> list[Person] | None:
    if not isinstance(to, str):
        found = [await _person(connection, name, first_pbx, pbx) for name in to]
        missing = [name for name, person in zip(to, found, strict=True) if person is None]
        if missing:
            raise NotFound(f"there is no colleague {', '.join(missing)}")
        return [person for person in found if person is not None]
    person = await _person(connection, to, first_pbx, pbx)
    if person is not None:
        return [person]
    try:
        return await groups.members_of(connection, to)
    except NotFound:
        return None


async def _person(connection: AsyncConnection, name: str, first_pbx: str, pbx: str) -> Person | None:
    """By name, else by extension on the call's own PBX. Raises AgentUnavailable for a user without a phone."""
    active = select(users.c.name, users.c.extension, users.c.pbx).where(users.c.active)
    row = (await connection.execute(active.where(users.c.name == name))).first()
    if row is None:
        rows = (await connection.execute(active.where(users.c.extension == name))).all()
        row = next((row for row in rows if (row.pbx or first_pbx) == pbx), None)
    if row is None:
        return None
    if not row.extension:
        raise AgentUnavailable(f"{row.name} has no phone")
    return Person(row.name, row.extension, row.pbx)


async def _for_client(connection: AsyncConnection, people: Iterable[Person], client: str | None) -> list[Person]:
    """Those who work for the call's client."""
    people = list(people)
    listed = select(users.c.name, users.c.clients).where(users.c.name.in_([person.name for person in people]))
    clients = {row.name: row.clients for row in await connection.execute(listed)}
    return [person for person in people if client is None or not clients[person.name] or client in clients[person.name]]


def _free(people: Sequence[Person], pbx: Pbx) -> list[Person]:
    """Those whose phones can ring now, or why the last one cannot."""
    free: list[Person] = []
    why: Fault | None = None
    for person in people:
        try:
            pbx.phones.require_free(person.extension)
            free.append(person)
        except (AgentBusy, AgentUnavailable) as refusal:
            why = refusal
    if not free and why is not None:
        raise why
    return free


async def outside(
    connection: AsyncConnection, to: str, party_id: str | None, call: Row[Any], user: User, region: str
) -> Outside:
    """The outside number with everyone who holds it. Raises Invalid, NotFound and NoCase."""
    try:
        number = normalise(to, region)
    except InvalidNumber as error:
        problem = {"field": "to", "message": "is no colleague, no group and no phone number"}
        raise Invalid(f"{to} is no colleague, no group and no phone number", [problem]) from error
    subjects, held = await _subjects(connection, number, party_id, call, user)
    if not subjects:
        listed = None if held else await allowed_numbers.listed(connection, number, call.pbx, user.clients)
        if listed is not None:
            leave = {"by": listed.created_by, "reason": listed.reason, "expires_at": None, "rules": ["gate/no-case"]}
            return Outside(number, (), leave, listed.client)
        refusal = "No case of yours has this number, so the call may not be transferred to it."
        zh = "您的案件中没有该号码,不能转接。"
        raise NoCase(refusal, rule="gate/no-case", pack=None, reason=refusal, reason_zh=zh, retry_at=None, denials=[])
    return Outside(number, subjects)


async def _subjects(
    connection: AsyncConnection, number: str, party_id: str | None, call: Row[Any], user: User
) -> tuple[list[Subject], bool]:
    """The call's own case first: the party named, else each of its parties with the number, then whoever else holds it.

    Also whether anybody holds it at all, though no case that the user may see.
    """

    def subject(case_id: str, party: str) -> Subject:
        return Subject(case_id, party, number, user.name, user.role, call.purpose)

    if party_id is not None:
        if call.case_id is None:
            raise NotFound("this call is on no case, so it has no parties")
        return [subject(call.case_id, party_id)], True
    own = (
        select(case_parties.c.party_id)
        .join(numbers, numbers.c.party_id == case_parties.c.party_id)
        .where(case_parties.c.case_id == call.case_id, numbers.c.e164 == number)
        .order_by(case_parties.c.position)
    )
    found = [subject(call.case_id, party) for party in await connection.scalars(own)] if call.case_id else []
    held = await typed_numbers.holders(connection, user.name, number)
    if not found and not any(holder.seen for holder in held):
        return [], bool(held)
    known = {(one.case_id, one.party_id) for one in found}
    others = [subject(one.case_id, one.party_id) for one in held if (one.case_id, one.party_id) not in known]
    return found + others, True
