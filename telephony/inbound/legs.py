"""The legs of an inbound call as they come and go: who is rung and shown the call, who answers, how it ends."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Row

from config.database import Transaction
from config.journal import Entry
from telephony.calls import call_records
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import CONVERSATION, Ending
from telephony.inbound.arrivals import CLOSED, INBOUND, NOBODY
from telephony.inbound.tables import inbound_calls
from telephony.tables import calls, legs

POP = "screen_pop"
"""Told to each collector whose phone rings; `state` says ringing, answered, answered_elsewhere or over."""
_NO_ANSWER = "no_answer"


def endpoint_of(channel: str) -> str:
    """`1001` of `PJSIP/1001-0000002a`, or of `PJSIP/1001` where no more is known; empty for no phone's channel."""
    found = re.fullmatch(r"PJSIP/(.+?)(?:-[0-9a-f]{8})?", channel)
    return found[1] if found else ""


async def phone_rings(transaction: Transaction, call: Row[Any], channel: str, now: datetime) -> None:
    """A phone is being rung: its user is shown who may be calling. Nothing for a call that is not inbound."""
    if call.direction != INBOUND:
        return
    await call_records.move(transaction, call.id, State.CALLING_AGENT, now)
    about = await details(transaction, call.id)
    phone = about.phones.get(endpoint_of(channel)) if about is not None else None
    if about is not None and phone and phone["agent"]:
        await _pop(transaction, call, about, phone["agent"], "ringing", now)


async def caller_answered(transaction: Transaction, pbx: str, uniqueid: str, call_id: str, now: datetime) -> None:
    """The caller's own leg is up: by the announcement, or because somebody picked up."""
    call = await call_records.find(transaction.connection, call_id)
    if call is not None and call.direction == INBOUND:
        mine = (legs.c.pbx == pbx) & (legs.c.uniqueid == uniqueid) & legs.c.answered_at.is_(None)
        await transaction.execute(update(legs).where(mine).values(answered_at=now))


async def phone_answered(transaction: Transaction, call_id: str, channel: str, at: datetime) -> None:
    """A phone was picked up: the call is its user's. Nothing for a call that is not inbound, or has been answered."""
    call = await call_records.find(transaction.connection, call_id)
    if call is None or call.direction != INBOUND or call.extension:
        return
    about = await details(transaction, call_id)
    endpoint = endpoint_of(channel)
    phone = about.phones.get(endpoint) if about is not None else None
    who: dict[str, Any] = {}
    if phone and phone["agent"]:
        who = {"agent": phone["agent"], "current_agent": phone["agent"], "role": phone["role"]}
    # That the phone rang may never have been heard of.
    await call_records.move(transaction, call_id, State.CALLING_AGENT, at, only_from={State.QUEUED})
    moved = await call_records.move(transaction, call_id, State.CONNECTED, at, extension=endpoint, **who)
    if moved is None:  # that two legs talk was heard first
        moved = await call_records.note(transaction, call_id, at, extension=endpoint, **who)
    if moved is not None and about is not None:
        for agent in await _popped(transaction, call_id, about):
            state = "answered" if agent == moved.agent else "answered_elsewhere"
            await _pop(transaction, moved, about, agent, state, at)


async def finish_inbound(transaction: Transaction, call: Row[Any], known: Sequence[Row[Any]], at: datetime) -> None:
    """End an inbound call by what its legs tell; nothing happens to one that has ended before."""
    caller = next((leg for leg in known if leg.role == "customer"), None)
    answered = sorted(
        (leg for leg in known if leg.role == "agent" and leg.answered_at), key=lambda leg: leg.answered_at
    )
    if answered:
        await phone_answered(transaction, call.id, answered[0].channel, min(answered[0].answered_at, at))
    ended = await call_records.end(
        transaction,
        call.id,
        at,
        judge_inbound(call, caller, bool(answered)),
        hangup_cause=caller.hangup_cause if caller is not None else None,
        tech_cause=caller.tech_cause if caller is not None else None,
        **_moments(call, answered, at),
    )
    if ended is None:
        return
    if caller is not None and answered:
        mine = (legs.c.pbx == caller.pbx) & (legs.c.uniqueid == caller.uniqueid) & legs.c.answered_at.is_(None)
        await transaction.execute(update(legs).where(mine).values(answered_at=answered[0].answered_at))
    await take_back_pops(transaction, ended, at)


async def take_back_pops(transaction: Transaction, call: Row[Any], at: datetime) -> None:
    """Tell those whose phones rang in vain that the call is over."""
    about = await details(transaction, call.id)
    if about is None or call.connected_at is not None:
        return
    for agent in await _popped(transaction, call.id, about):
        await _pop(transaction, call, about, agent, "over", at)


def judge_inbound(call: Row[Any], caller: Row[Any] | None, answered: bool) -> Ending:
    """The ending of an inbound call whose legs are all gone."""
    if answered or call.connected_at is not None:
        return Ending(EndReason.COMPLETED, CONVERSATION)
    rule = (call.denial or {}).get("rule")
    if rule == CLOSED.rule:
        return Ending(EndReason.CLOSED, _NO_ANSWER)
    status = caller.dial_status if caller is not None else None
    if rule == NOBODY.rule or status == "BUSY":
        return Ending(EndReason.AGENT_BUSY, _NO_ANSWER)
    if status == "CANCEL" or (status is None and rule is None):
        return Ending(EndReason.CANCELED, _NO_ANSWER)
    return Ending(EndReason.NO_ANSWER, _NO_ANSWER)


def _moments(call: Row[Any], answered: Sequence[Row[Any]], ended_at: datetime) -> dict[str, datetime]:
    """None after what came later; answered when the phone's leg says so."""
    known = {"connected_at": answered[0].answered_at if answered else None, "calling_agent_at": call.calling_agent_at}
    right, latest = {}, ended_at
    for name, moment in known.items():
        if moment is not None:
            latest = min(moment, latest)
            right[name] = latest
    return right


async def details(transaction: Transaction, call_id: str) -> Row[Any] | None:
    """What is kept of an inbound call beside its row."""
    return await transaction.first(select(inbound_calls).where(inbound_calls.c.call_id == call_id))


async def _popped(transaction: Transaction, call_id: str, about: Row[Any]) -> list[str]:
    """Those whose phones were rung, in the order in which they were."""
    rung = [endpoint_of(leg.channel) for leg in await call_records.legs_of(transaction.connection, call_id)]
    agents = [about.phones[endpoint]["agent"] for endpoint in rung if endpoint in about.phones]
    return list(dict.fromkeys(agent for agent in agents if agent))


async def _pop(transaction: Transaction, call: Row[Any], about: Row[Any], agent: str, state: str, at: datetime) -> None:
    shown = [phone["matches"] for phone in about.phones.values() if phone["agent"] == agent]
    matches = shown[0] if shown else []
    data = {"state": state, "direction": INBOUND, "number": call.number or None, "did": about.did, "matches": matches}
    transaction.journal(Entry(at, POP, "system", call.client, agent, call.case_id, call.id, data))


async def assign(transaction: Transaction, call_id: str, case_id: str, party_id: str, client: str) -> Row[Any]:
    """Write down whose call it turned out to be."""
    values = {"case_id": case_id, "party_id": party_id, "client": client}
    changed = update(calls).where(calls.c.id == call_id).values(**values).returning(*calls.c)
    return (await transaction.execute(changed)).one()
