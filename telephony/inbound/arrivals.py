"""Calls from outside: asked by the dialplan as each arrives, written down before the PBX hears where it goes.

The dialplan records first and asks then, under an id of its own making. Where there is no answer in 2 s it rings the phones
that it was told before; such a call is written down afterwards (`telephony/inbound/adoption.py`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog
from sqlalchemy import insert

from config import clock, identifiers
from config.database import Database, Transaction
from config.journal import Entry
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.gate.fastagi import Handler, Request
from telephony.gate.passes import Answer, Refusal
from telephony.inbound.tables import inbound_calls
from telephony.tables import contacts

log = structlog.get_logger(__name__)

INBOUND = "inbound"
ARRIVED = "call.inbound"
"""The journal's word for a call that came in, with the number called and every case that it may be about."""
CLOSED = Refusal(
    "inbound/closed",
    "The call came outside the hours of the number that was called.",
    "来电时该号码不在服务时间内。",
)
NOBODY = Refusal("inbound/nobody-free", "Nobody was free to answer.", "当时无人空闲接听。")
NO_ROUTE = Refusal(
    "inbound/no-route", "No route is set up for the number that was called.", "被叫号码没有设置呼入路由。"
)
What = Literal["ring", "closed", "nobody", "no-route", "alone"]
REFUSALS: Mapping[str, Refusal] = {"closed": CLOSED, "nobody": NOBODY, "no-route": NO_ROUTE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A call that came in: `did` and `caller` are the digits that the carrier sent, `caller` empty for an anonymous one."""

    call_id: str
    pbx: str
    uniqueid: str
    channel: str
    did: str
    caller: str
    carrier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What becomes of an inbound call. `steps` are endpoints rung together, one step after the other."""

    what: What
    did: str
    caller: str | None
    """E.164; None for an anonymous caller, or one whose number is none."""
    steps: Sequence[Sequence[str]] = ()
    ring_seconds: int = 30
    announcement: str | None = None
    message: str | None = None
    """What the caller is told when nobody answers, or instead of ringing."""
    phones: Mapping[str, Mapping[str, Any]]
    """Of each endpoint that may ring: {agent, role, matches}, the matches that this user may see."""
    matches: Sequence[Mapping[str, Any]] = ()
    case_id: str | None = None
    party_id: str | None = None
    client: str | None = None
    contacts: Sequence[Mapping[str, Any]] = ()
    """Entries of the contact history, one for each party that may be calling."""


Receive = Callable[[Transaction, Arrival, datetime], Awaitable[Reception]]
"""The desk's part: whose call it may be and whose phones ring. Asked inside the transaction that writes the call down."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """Answers `/inbound`. `pbxs` are the configured names; a dialplan that names none is the first one's."""

    database: Database
    receive: Receive
    pbxs: Sequence[str]

    async def __call__(self, request: Request) -> Answer:
        """One call that arrives: `/inbound,<call id>,<number called>,<caller>,<endpoint>,<pbx>`."""
        call_id, did, caller, carrier, pbx = (*request.arguments, "", "", "", "", "")[:5]
        pbx = pbx or next(iter(self.pbxs), "")
        if not identifiers.PATTERN.fullmatch(call_id) or pbx not in self.pbxs:
            log.warning("inbound.refused", channel=request.channel, pbx=pbx)
            return {}
        now = clock.now()
        arrival = Arrival(
            call_id=call_id,
            pbx=pbx,
            uniqueid=request.uniqueid,
            channel=request.channel,
            did=did[:20],
            caller=caller[:20],
            carrier=carrier[:64],
        )
        async with self.database.write() as transaction:
            if await call_records.find(transaction.connection, call_id) is not None:
                log.warning("inbound.seen_before", call_id=call_id)
                return {}
            reception = await self.receive(transaction, arrival, now)
            await write_down(transaction, arrival, reception, now)
        log.info("inbound.received", call_id=call_id, did=reception.did, what=reception.what)
        return _answer(reception)


def asked(gate: Handler, inbound: Handler) -> Handler:
    """One listener for both questions of the dialplan: may this leave, and where does this go."""

    async def answer(request: Request) -> Mapping[str, str]:
        return await (inbound if request.path == "/inbound" else gate)(request)

    return answer


async def write_down(
    transaction: Transaction, arrival: Arrival, reception: Reception, at: datetime, *, adopted: bool = False
) -> None:
    """The call's rows, in the words of every other call; whose it is becomes known when somebody answers."""
    refusal = REFUSALS.get(reception.what)
    values: dict[str, Any] = {
        "id": arrival.call_id,
        "direction": INBOUND,
        "origin": INBOUND,
        "state": State.QUEUED,
        "agent": "",
        "current_agent": None,
        "role": "collector",
        "extension": "",
        "client": reception.client,
        "case_id": reception.case_id,
        "party_id": reception.party_id,
        "number": reception.caller or "",
        "purpose": "collect",
        "pbx": arrival.pbx,
        "uniqueid": arrival.uniqueid,
        "decision_id": "",
        "denial": refusal.document() if refusal else None,
        "created_at": at,
        "violations": [],
    }
    await call_records.create(transaction, values, at)
    row = {
        "call_id": arrival.call_id,
        "did": reception.did,
        "caller": arrival.caller,
        "carrier": arrival.carrier,
        "phones": dict(reception.phones),
        "matches": list(reception.matches),
        "answer": reception.what,
        "adopted": adopted,
    }
    await transaction.execute(insert(inbound_calls).values(**row))
    await add_contacts(transaction, reception.contacts)
    shown = {"did": reception.did, "carrier": arrival.carrier, "answer": reception.what, "adopted": adopted}
    data = {**shown, "matches": list(reception.matches)}
    entry = Entry(at, ARRIVED, "system", reception.client, None, reception.case_id, arrival.call_id, data)
    transaction.journal(entry)


async def add_contacts(transaction: Transaction, entries: Sequence[Mapping[str, Any]]) -> None:
    """Put the parties that may be calling into the contact history."""
    for entry in entries:
        await transaction.execute(insert(contacts).values(**entry))


def _answer(reception: Reception) -> Answer:
    steps = "/".join("+".join(step) for step in reception.steps)
    return {
        "RINGFENCE_DIAL": steps,
        "RINGFENCE_RING": str(reception.ring_seconds),
        "RINGFENCE_ANNOUNCE": (reception.announcement or "") if steps else "",
        "RINGFENCE_PROMPT": reception.message or "",
        "RINGFENCE_VERDICT": "ring" if steps else "say",
    }
