"""What the collector says of a finished call: the note becomes final, and what was said reaches the policy at once.

An action code says what must be given (S37, S38) and what follows: a wrong number is marked, a refusal, a death or an
attorney is a flag on the person, "call me at nine" is an agreement, a promise and a call-back are commitments (S29).
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.errors import Conflict, Forbidden, Invalid, NotFound
from crm_bridge.cases import number_marks, parties
from crm_bridge.notes import commitments, notes, wishes
from crm_bridge.notes.action_codes import ActionCode, CodeSet, NoteField, Outcome, codes_of, require_given
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.tables import cases
from crm_bridge.tables import notes as notes_table
from telephony.dialling.recounts import recount
from telephony.policy.facts import Agreement, Band
from telephony.policy.fields import NearMoment
from telephony.tables import calls, contacts

ANSWERED: frozenset[str] = frozenset({"conversation", "voicemail", "not_in_service", "dropped"})
UNANSWERED: frozenset[str] = frozenset({"no_answer", "busy", "not_in_service", "rejected", "voicemail"})
FLAGS = frozenset({"refused", "cease", "attorney", "deceased", "minor", "do_not_call"})
MARKS: dict[str, number_marks.Mark] = {
    "wrong_number": "wrong_person", "number_valid": "valid", "not_in_service": "not_in_service",
}  # fmt: skip
ON_CASE = frozenset({"dispute", "fraud_statement"})
EARLY, AGREED_FOR, FARTHEST = timedelta(minutes=15), timedelta(hours=1), timedelta(days=366)


class Promise(BaseModel):
    """A promise to pay (S29)."""

    model_config = ConfigDict(extra="forbid")

    on: date = Field(description="the day the party will pay")
    amount: str | None = Field(None, pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$")
    currency: str | None = Field(None, pattern=r"^[A-Z]{3}$")


class CallBack(BaseModel):
    """When to ring again. `agreed`: the party asked for it, so it holds beyond the usual hours and caps."""

    model_config = ConfigDict(extra="forbid")

    at: NearMoment
    until: NearMoment | None = Field(None, description="the end of what was agreed; absent: an hour after `at`")
    agreed: bool = Field(
        False, description='"call me at": an agreement with the party, from a quarter of an hour before'
    )


class Disposition(BaseModel):
    """What the collector says of a finished call."""

    model_config = ConfigDict(extra="forbid")

    action_code: str = Field(max_length=32)
    note: str = Field(max_length=notes.LONGEST_NOTE)
    promise: Promise | None = None
    call_back: CallBack | None = None
    inconvenient: list[Band] = Field([], max_length=20, description="times at which the party asked not to be called")
    outcome: Outcome | None = Field(None, description="where the network could not tell: an announcement, a voicemail")
    fields: dict[str, Annotated[str, Field(max_length=2000)]] = Field({}, description="fields of the client's own")


async def record(
    transaction: Transaction, call_id: str, given: Disposition, *, zone: str, user: User, now: datetime
) -> Row[Any]:
    """Make the call's note final; caps, flags and agreements go by it from now on. Returns the call's row.

    `zone` is the one by whose days the desk works.

    Raises NotFound, Forbidden (another's call), Conflict (the call has not ended), Invalid.
    """
    call = await _call_of(transaction, call_id, user)
    codes = await codes_of(transaction.connection, call.client)
    code = codes.find(given.action_code)
    outcome = _outcome(call, given, code)
    _require(call, code, codes, given, outcome, now)
    # All locks at once and in one order; what follows asks for some of them again.
    await transaction.lock([f"case:{call.case_id}", *([f"person:{call.party_id}"] if call.party_id else [])])
    said = given.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    said |= {"note": given.note, "by": user.name, "at": now.isoformat()}
    if outcome is not None:
        said["outcome"] = outcome
        await _correct_outcome(transaction, call_id, outcome, now)
    await _write_note(transaction, call, code, said, user, now)
    values = {"disposition": said} | ({"outcome": outcome} if outcome is not None else {})
    await transaction.execute(update(calls).where(calls.c.id == call_id).values(**values))
    await _follow(transaction, call, code, given, user, now)
    case = (await transaction.all(select(cases).where(cases.c.id == call.case_id)))[0]
    wanted = _committed(given, ZoneInfo(zone))
    await commitments.replace_of_call(transaction, call, case.collector or call.agent, wanted, user, now)
    return (await transaction.all(select(calls).where(calls.c.id == call_id)))[0]


async def _write_note(
    transaction: Transaction, call: Row[Any], code: ActionCode, said: dict[str, Any], user: User, now: datetime
) -> None:
    row = await notes.row_of_call(transaction.connection, call, now)
    await transaction.insert_once(notes_table, **row)
    told = ("promise", "call_back", "inconvenient", "outcome", "fields")
    details = row["details"] | {key: said[key] for key in told if key in said}
    final = {"state": "final", "action_code": code.code, "text": said["note"], "details": details, "updated_at": now}
    this = notes_table.c.call_id == call.id
    await transaction.execute(update(notes_table).where(this).values(**final))
    note_id = await transaction.connection.scalar(select(notes_table.c.id).where(this))
    data = {"action_code": code.code, "outcome": said.get("outcome")}
    transaction.journal(notes.entry_of("note.final", call, str(note_id), user.name, now, data))


async def _correct_outcome(transaction: Transaction, call_id: str, outcome: str, now: datetime) -> None:
    """What the caps count from now on; calls made since that it would have forbidden are marked."""
    corrected = update(contacts).where(contacts.c.id == call_id).values(outcome=outcome).returning(*contacts.c)
    contact = (await transaction.execute(corrected)).first()
    if contact is not None:
        await recount(transaction, contact, now)


async def _call_of(transaction: Transaction, call_id: str, user: User) -> Row[Any]:
    call = await transaction.first(select(calls).where(calls.c.id == call_id, scope.calls_seen_by(user)))
    if call is None:
        raise NotFound(f"there is no call {call_id}")
    if call.agent != user.name and user.role not in ("supervisor", "admin"):
        raise Forbidden("the disposition is written by who made the call, or by a supervisor")
    if call.case_id is None:
        raise Conflict("the call belongs to no case")
    if call.ended_at is None:
        raise Conflict("the call has not ended")
    return call


def _possible(call: Row[Any]) -> frozenset[str]:
    """An answered call cannot become unanswered, nor the other way round: the caps would be bent."""
    if call.outcome == "not_placed":
        return frozenset()
    return ANSWERED if call.connected_at is not None else UNANSWERED


def _outcome(call: Row[Any], given: Disposition, code: ActionCode) -> str | None:
    """What the collector says of the outcome, in words or by the code; a code that does not fit says nothing."""
    possible = _possible(call)
    if given.outcome is None:
        return code.outcome if code.outcome in possible else None
    if given.outcome not in possible:
        allowed = f"one of {', '.join(sorted(possible))}" if possible else "left out: nothing left the PBX"
        raise _wrong("outcome", f"must be {allowed}, for this call")
    return given.outcome


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"{field} {message}", [{"field": field, "message": message}])


def _require(
    call: Row[Any], code: ActionCode, codes: CodeSet, given: Disposition, outcome: str | None, now: datetime
) -> None:
    values: dict[str, Any] = {**given.model_dump(exclude={"fields"}), **given.fields, "note": given.note.strip()}
    values |= {"amount": given.promise and given.promise.amount, "outcome": outcome or call.outcome}
    require_given(code, values, codes.fields)
    _require_fields(given.fields, codes.fields)
    if call.party_id is None and (code.effects or given.call_back or given.inconvenient):
        raise _wrong("action_code", "says something of a person, and who this call was with is not known")
    back = given.call_back
    if back is None:
        return
    if not now < back.at < now + FARTHEST:
        raise _wrong("call_back.at", "must lie ahead, within a year")
    if back.until is not None and not back.at < back.until <= back.at + timedelta(days=1):
        raise _wrong("call_back.until", "must follow `at` within a day")
    if back.agreed and (call.connected_at is None or (outcome or call.outcome) not in ("conversation", "dropped")):
        raise _wrong("call_back.agreed", "takes somebody who agreed, and nobody was talked to in this call")


def _require_fields(given: dict[str, str], known: list[NoteField]) -> None:
    by_name = {field.name: field for field in known}
    for name, value in given.items():
        field = by_name.get(name)
        if field is None:
            raise _wrong(f"fields.{name}", "is no field of this client")
        if value and not _fits(field, value):
            kinds = {"choice": f"must be one of {', '.join(field.choices)}", "date": "must be a day like 2026-06-01"}
            raise _wrong(f"fields.{name}", kinds.get(field.kind, "must be an amount like 1250.00"))


def _fits(field: NoteField, value: str) -> bool:
    if field.kind == "choice":
        return value in field.choices
    try:
        if field.kind == "date":
            date.fromisoformat(value)
        elif field.kind == "amount":
            float(value)
    except ValueError:
        return False
    return True


async def _follow(
    transaction: Transaction, call: Row[Any], code: ActionCode, given: Disposition, user: User, now: datetime
) -> None:
    """What a disposition sets in motion, in the same transaction: the very next decision goes by it."""
    case = (await transaction.all(select(cases).where(cases.c.id == call.case_id)))[0]
    reason = f"{code.code} {given.note.strip()}"[:2000].strip()
    for effect in code.effects:
        if effect in FLAGS:
            number = call.number if effect == "do_not_call" else None
            await parties.set_flag(transaction, call.party_id, effect, True, reason, number=number, user=user, now=now)
        elif effect in MARKS:
            await _mark(transaction, call, MARKS[effect], reason, user, now)
    stated = {effect: True for effect in code.effects if effect in ON_CASE}
    if stated:
        await transaction.execute(update(cases).where(cases.c.id == case.id).values(**stated, updated_at=now))
        data = {"state": case.state, "changed": sorted(stated)}
        transaction.journal(notes.entry_of("case.updated", call, "", user.name, now, data))
    await wishes.note(
        transaction, call.party_id, _agreements(given, now), given.inconvenient, case=case, call_id=call.id,
        user=user, now=now,
    )  # fmt: skip


async def _mark(
    transaction: Transaction, call: Row[Any], mark: number_marks.Mark, reason: str, user: User, now: datetime
) -> None:
    try:
        await number_marks.mark(transaction, call.party_id, call.number, mark, reason, user=user, now=now)
    except (NotFound, Forbidden):
        return  # a number that is on no list, or already known as invalid: the note says it, nothing is to be marked


def _agreements(given: Disposition, now: datetime) -> list[Agreement]:
    back = given.call_back
    if back is None or not back.agreed:
        return []
    hours = {"received": now, "from": max(back.at - EARLY, now), "until": back.until or back.at + AGREED_FOR}
    return [Agreement.model_validate({"kind": kind, **hours}) for kind in ("hours", "call")]


def _committed(given: Disposition, zone: ZoneInfo) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if given.promise is not None:
        promise = given.promise
        said = {"amount": promise.amount, "currency": promise.currency}
        found.append({"kind": "promise", "day": promise.on.isoformat(), **said})
    if given.call_back is not None:
        at = given.call_back.at
        found.append({"kind": "call_back", "day": at.astimezone(zone).date().isoformat(), "at": at})
    return found
