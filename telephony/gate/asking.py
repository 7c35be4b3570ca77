"""Who asks the gate without a call's id: a collector's phone, or a channel that a collector's phone transferred."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from config import identifiers
from config.database import Transaction
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.dialling.reservations import TRANSFER, TYPED
from telephony.gate.fastagi import Request
from telephony.gate.passes import FOREIGN_CHANNEL, Refusal

AGENT_BUSY = Refusal(
    "gate/agent-busy", "You are on another call; finish it first.", "您正在另一个通话中，请先结束该通话。"
)
_PHONE = re.compile(r"PJSIP/([0-9A-Za-z_.-]+)-[0-9a-f]+")
_TALKING = (State.CONNECTED, State.HELD)


@dataclass(frozen=True, slots=True)
class Collector:
    """Who has a phone. Empty `clients`: works for all of them."""

    name: str
    role: str
    clients: tuple[str, ...] = ()


WhoHas = Callable[[AsyncConnection, str, str], Awaitable[Collector | None]]


@dataclass(frozen=True, slots=True)
class Asking:
    """A ticketless pass as the dialplan asks: AGI's arguments 2 to 5, and the channel."""

    typed: str
    pbx: str
    transferer: str
    """The channel that transferred this one (BLINDTRANSFER, or TRANSFERERNAME of a feature code); empty: nobody did."""
    call_id: str
    """The call that the channel belonged to before; empty for a phone's own call."""
    channel: str
    uniqueid: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The collector on whose behalf the number is called. `refusal`: why not, before any rule is asked."""

    collector: Collector
    extension: str
    origin: str
    transferred_from: str | None = None
    refusal: Refusal | None = None


def read_asking(request: Request, only_pbx: str) -> Asking:
    """The pass's arguments; absent ones are empty."""
    typed, pbx, transferer, call_id = (*request.arguments[1:5], "", "", "", "")[:4]
    return Asking(typed, pbx or only_pbx, transferer, call_id, request.channel, request.uniqueid)


async def who_asks(transaction: Transaction, asking: Asking, who_has: WhoHas) -> Caller | Refusal:
    """The collector behind the pass. A channel that is nobody's phone, or that nobody of ours transferred, is refused."""
    phone = _PHONE.fullmatch(asking.transferer or asking.channel)
    collector = await who_has(transaction.connection, phone[1], asking.pbx) if phone else None
    if phone is None or collector is None:
        return FOREIGN_CHANNEL
    if asking.transferer:
        return await _transfer(transaction, asking, collector, phone[1])
    return await _own_call(transaction, asking, collector, phone[1])


async def _transfer(transaction: Transaction, asking: Asking, collector: Collector, extension: str) -> Caller | Refusal:
    """A transfer is believed when the call lives, its collector's side transferred, and its outside party is what moves."""
    known = identifiers.PATTERN.fullmatch(asking.call_id)
    call = await call_records.find(transaction.connection, asking.call_id) if known else None
    if call is None or call.ended_at is not None or call.pbx != asking.pbx:
        return FOREIGN_CHANNEL
    legs = await call_records.legs_of(transaction.connection, call.id)
    by_agent = any(leg.role == "agent" and leg.channel == asking.transferer for leg in legs)
    moved = asking.channel.startswith("Local/") or any(
        leg.role == "customer" and leg.uniqueid == asking.uniqueid for leg in legs
    )
    if not moved or not (by_agent or extension == call.extension):
        return FOREIGN_CHANNEL
    return Caller(collector, extension, TRANSFER, call.id)


async def _own_call(transaction: Transaction, asking: Asking, collector: Collector, extension: str) -> Caller | Refusal:
    """A phone that talks already may ask a third party (a consultation before a transfer), once; else it is busy."""
    if asking.call_id:
        return FOREIGN_CHANNEL
    await transaction.lock([f"agent:{collector.name}"])
    open_calls = await call_records.open_calls_of(transaction.connection, collector.name, asking.pbx, extension)
    if not open_calls:
        return Caller(collector, extension, TYPED)
    first = open_calls[0]
    talking = first.state in _TALKING and (first.pbx, first.extension) == (asking.pbx, extension)
    if len(open_calls) > 1 or not talking:
        return Caller(collector, extension, TYPED, refusal=AGENT_BUSY)
    return Caller(collector, extension, TRANSFER, first.id)
