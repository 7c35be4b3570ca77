"""The main use case: a collector clicks a number. One click, one decision, one Originate, whatever is repeated."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from config import clock
from config.database import Database, DatabaseUnavailable
from config.errors import Fault
from config.identifiers import new_id
from config.settings import AutoAnswer
from crm_bridge import idempotency
from crm_bridge.cases import cases
from crm_bridge.people.users import User
from telephony.calls import call_records
from telephony.calls.call_records import call_document
from telephony.calls.call_states import State
from telephony.dialling.decisions import Decision
from telephony.dialling.dialer import Dialer
from telephony.dialling.gathering import Subject


@dataclass(frozen=True, slots=True)
class Click:
    """What was clicked, by whom, under which Idempotency-Key."""

    subject: Subject
    extension: str | None
    pbx: str | None
    key: str
    auto_answer: AutoAnswer = "none"
    others: tuple[Subject, ...] = ()
    """The further cases and parties that hold the number, where only a number was clicked."""

    def body(self) -> dict[str, Any]:
        """What makes a repeated request the same request."""
        subject = self.subject
        return {
            "case_id": subject.case_id,
            "party_id": subject.party_id,
            "number": subject.number,
            "purpose": subject.purpose,
        }


@dataclass(frozen=True, slots=True)
class Clicked:
    """The answer to send: a call (201) or a refusal's members (403)."""

    status: int
    document: dict[str, Any]


def denial_document(decision: Decision) -> dict[str, Any]:
    """The members of a `policy-denied` problem."""
    result = decision.verdict.document()
    competing = sorted({call for denial in decision.verdict.denials for call in denial.competing})
    document = {key: value for key, value in result.items() if key not in ("verdict", "versions", "warnings", "counts")}
    document["decision_id"] = decision.id
    if competing:
        document["competing"] = competing
    return document


async def click(database: Database, dialer: Dialer, request: Click, user: User) -> Clicked:
    """Place the call, or say why not. Raises NotFound for a case not the user's, what `Dialer` raises, and the key's faults."""
    now = clock.now()
    phone = dialer.phone_of(request.extension, request.pbx)
    async with database.write() as transaction:
        call_id = new_id(now)
        earlier = await idempotency.begin(transaction, user.name, request.key, request.body(), call_id, now)
        if earlier is not None:
            return await _again(transaction.connection, earlier)
        await cases.find(transaction.connection, request.subject.case_id, user)
        dialer.require_ready(phone)
        decision, call = await dialer.reserve(transaction, request.subject, phone, call_id, now, request.others)
        if call is None:
            denied = Clicked(403, denial_document(decision))
            await idempotency.finish(transaction, user.name, request.key, denied.status, denied.document)
            return denied
    try:
        call = await dialer.originate(call, request.auto_answer)
    except DatabaseUnavailable:
        # It may have been sent, and nothing can be written about it now: the PBX's own records settle it.
        return Clicked(201, {**call_document(call), "state": State.UNKNOWN})
    except Fault as fault:
        await _keep(database, request, Clicked(fault.status, {"code": fault.code, "detail": fault.detail}))
        raise
    placed = Clicked(201, call_document(call))
    with suppress(DatabaseUnavailable):  # who asks again is answered by the call's row
        await _keep(database, request, placed)
    return placed


async def _keep(database: Database, request: Click, answer: Clicked) -> None:
    async with database.write() as transaction:
        user = request.subject.agent
        await idempotency.finish(transaction, user, request.key, answer.status, answer.document)


async def _again(connection: Any, earlier: Any) -> Clicked:
    """The first answer; where its process died before answering, the call as it stands."""
    if earlier.status is not None:
        return Clicked(earlier.status, earlier.answer)
    row = await call_records.find(connection, earlier.call_id)
    if row is None:
        raise idempotency.KeyInFlight("the first request with this Idempotency-Key was interrupted; use a new key")
    return Clicked(201, call_document(row))
