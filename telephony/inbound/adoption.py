"""Calls that the PBX took in by itself, since the service was away or silent: written down afterwards, by its markers."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.engine import Row

from config.database import Transaction
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.calls.call_tracker import add_leg
from telephony.calls.markers import InboundMarker
from telephony.inbound.arrivals import Arrival, Reception, write_down
from telephony.inbound.legs import phone_answered
from telephony.inbound.tables import inbound_calls
from telephony.tables import calls, legs

log = structlog.get_logger(__name__)


PATIENCE = timedelta(seconds=5)
"""The dialplan asks for 2 s; a call this young may be about to be written down by the answer."""


async def adopt_inbound(
    transaction: Transaction, pbx: str, markers: Sequence[InboundMarker], seen_at: datetime
) -> set[str]:
    """A row for each inbound call that has none; one that was known but handled alone is marked so.

    Returns the calls of which it is too early to say anything.
    """
    young = set()
    for marker in markers:
        if await call_records.find(transaction.connection, marker.call_id) is not None:
            if marker.alone:
                mine = inbound_calls.c.call_id == marker.call_id
                await transaction.execute(update(inbound_calls).where(mine).values(adopted=True))
                late = (calls.c.id == marker.call_id) & (calls.c.created_at > marker.at)
                await transaction.execute(update(calls).where(late).values(created_at=marker.at))
            continue
        if marker.at > seen_at - PATIENCE and not marker.alone:
            young.add(marker.call_id)
            continue
        log.warning("inbound.adopted", call_id=marker.call_id, pbx=pbx)
        arrival = Arrival(
            call_id=marker.call_id,
            pbx=pbx,
            uniqueid=marker.uniqueid,
            channel="",
            did=marker.did,
            caller=marker.caller,
            carrier=marker.carrier,
        )
        # Whose number it is the desk says next, when it reads of the call in the journal.
        reception = Reception(what="alone", did=marker.did, caller=None, phones={})
        await write_down(transaction, arrival, reception, marker.at, adopted=True)
        await add_leg(transaction, pbx, marker.uniqueid, marker.call_id, "customer", "", marker.at)
    return young


async def name_phones(transaction: Transaction, pbx: str, picks: Mapping[str, str]) -> None:
    """Which phone a leg was that answered while nobody listened."""
    for uniqueid, endpoint in picks.items():
        mine = (legs.c.pbx == pbx) & (legs.c.uniqueid == uniqueid) & (legs.c.channel == "")
        await transaction.execute(update(legs).where(mine).values(channel=f"PJSIP/{endpoint}"[:128]))


async def take_up_inbound(
    transaction: Transaction, call: Row[Any], known: Sequence[Row[Any]], up: Mapping[str, datetime], now: datetime
) -> None:
    """A living inbound call goes on from where the PBX has it; `up` says of each leg that is up since when."""
    agents = [leg for leg in known if leg.role == "agent" and leg.ended_at is None]
    talking = [leg for leg in agents if leg.uniqueid in up]
    if talking:
        await phone_answered(transaction, call.id, talking[0].channel, up[talking[0].uniqueid])
    elif agents:
        await call_records.move(transaction, call.id, State.CALLING_AGENT, now)
