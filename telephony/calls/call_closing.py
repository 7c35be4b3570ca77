"""Close calls whose legs are all gone, with the PBX's own times: what its hang-up handlers wrote is read first.

The service hears of an event when the link, the database or the machine lets it; the handler on the leg wrote the moment it
happened. Settlement after silence and the end of an ordinary call take the same way here.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.journal import Entry, journal
from config.schema import UtcDateTime
from telephony.calls import call_records
from telephony.calls.call_endings import finish, is_doubtful
from telephony.calls.call_tracker import add_leg
from telephony.calls.markers import LegMarker, Markers
from telephony.tables import legs

ANNOUNCED = "call.announced"


async def close_calls(
    transaction: Transaction, pbx: str, call_ids: Sequence[str], markers: Markers
) -> tuple[list[str], list[str]]:
    """End these calls by their legs and markers.

    Returns those that are over now, and those that only a look at the PBX's channels can judge. A call of which another
    leg came to light meanwhile is in neither: that leg's end brings it back.
    """
    over, doubtful = [], []
    for call_id in call_ids:
        call = await call_records.find(transaction.connection, call_id)
        if call is None or call.ended_at is not None:
            over.append(call_id)
            continue
        known = await write_markers(transaction, pbx, call_id, markers.legs_of(call_id))
        if is_doubtful(call, known):
            doubtful.append(call_id)
        elif all(leg.ended_at is not None for leg in known):
            await finish(transaction, call, known, max(leg.ended_at for leg in known))
            over.append(call_id)
    mine = [marker for marker in markers.legs if marker.call_id in call_ids]
    await journal_announcements(transaction, mine)
    return over, doubtful


async def write_markers(
    transaction: Transaction, pbx: str, call_id: str, markers: Sequence[LegMarker]
) -> list[Row[Any]]:
    """Write down what the hang-up handlers tell of a call's legs; all its legs as they then stand."""
    for marker in markers:
        await _write_leg(transaction, pbx, call_id, marker)
    for marker in markers:
        await _write_dial(transaction, call_id, marker)
    return await call_records.legs_of(transaction.connection, call_id)


async def _write_leg(transaction: Transaction, pbx: str, call_id: str, marker: LegMarker) -> None:
    """The handler knows whose leg it was, and its moments are better than those at which we heard; a cause is the same."""
    started = marker.started_at or marker.ended_at
    await add_leg(transaction, pbx, marker.uniqueid, call_id, marker.role, "", started)
    values: dict[str, Any] = {
        "call_id": call_id,
        "role": marker.role,
        "created_at": case((legs.c.created_at > started, literal(started, UtcDateTime)), else_=legs.c.created_at),
        "ended_at": marker.ended_at,
        "hangup_cause": func.coalesce(legs.c.hangup_cause, marker.cause),
        "tech_cause": func.coalesce(legs.c.tech_cause, marker.tech_cause),
    }
    # A clicked call's phone enters the dialplan, where the handler is set, when it is answered.
    answered = marker.started_at if marker.uniqueid == call_id else marker.answered_at
    if answered is not None:
        values["answered_at"] = answered
    mine = (legs.c.pbx == pbx) & (legs.c.uniqueid == marker.uniqueid)
    await transaction.execute(update(legs).where(mine).values(**values))


async def _write_dial(transaction: Transaction, call_id: str, marker: LegMarker) -> None:
    """The agent leg's handler knows how Dial() went: whether the callee was alerted, and whether the caller gave up."""
    customers = (legs.c.call_id == call_id) & (legs.c.role == "customer")
    if marker.alerted:
        unknown = customers & legs.c.alerted_at.is_(None)
        await transaction.execute(update(legs).where(unknown).values(alerted_at=legs.c.created_at))
    if marker.dial_status:
        untold = customers & legs.c.dial_status.is_(None)
        await transaction.execute(update(legs).where(untold).values(dial_status=marker.dial_status))


async def journal_announcements(transaction: Transaction, markers: Sequence[LegMarker]) -> None:
    """What became of each recording announcement, once: the recording's write side may lack it (asterisk#507)."""
    played = {marker.call_id: marker for marker in markers if marker.announced}
    if not played:
        return
    told = select(journal.c.call_id).where(journal.c.kind == ANNOUNCED, journal.c.call_id.in_(played))
    for call_id in played.keys() - {row.call_id for row in await transaction.all(told)}:
        call = await call_records.find(transaction.connection, call_id)
        if call is not None:
            marker = played[call_id]
            at = marker.answered_at or marker.ended_at
            scope = {"client": call.client, "agent": call.agent, "case_id": call.case_id, "call_id": call_id}
            transaction.journal(Entry(at, ANNOUNCED, data={"result": marker.announced}, **scope))
