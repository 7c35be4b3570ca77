"""Close a call whose legs are all gone: one judgement, whether its events were seen or its markers read afterwards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from config.database import Transaction
from telephony.calls import call_records
from telephony.calls.call_states import EndReason, State
from telephony.calls.outcomes import NOT_PLACED, Ending, LegEnding, judge_agent_leg, judge_customer_leg
from telephony.dialling.reservations import TRANSFER
from telephony.gate.passes import Refusal
from telephony.inbound.arrivals import INBOUND
from telephony.inbound.legs import finish_inbound

GATE_SILENT = Refusal(
    "gate/silent",
    "The rules could not be checked in time, so the customer was not called.",
    "未能及时完成规则检查,因此没有呼叫客户。",
)

_NO_WAY = 34
"""Q.850, with which the dialplan hangs up after Dial() found no way (context ringfence-after); a silent gate gives 21."""


def is_doubtful(call: Row[Any], legs: Sequence[Row[Any]]) -> bool:
    """Whether the gate said yes and no customer leg is known: by events alone it can't be told from one whose news was lost."""
    return call.state == State.CALLING_CUSTOMER and not any(leg.role == "customer" for leg in legs)


async def finish(transaction: Transaction, call: Row[Any], legs: Sequence[Row[Any]], at: datetime) -> None:
    """End `call` at `at` by what its legs tell; nothing happens to a call that has ended before."""
    if call.direction == INBOUND:
        await finish_inbound(transaction, call, legs, at)
        return
    customers = [leg for leg in legs if leg.role == "customer"]
    agent = next((leg for leg in legs if leg.role == "agent"), None)
    answered = [leg.answered_at for leg in customers if leg.answered_at]
    if answered and call.connected_at is None:
        await call_records.move(transaction, call.id, State.CONNECTED, min(answered))
    decisive = next((leg for leg in customers if leg.answered_at), customers[-1] if customers else agent)
    ending = _judge(call, agent, customers, decisive)
    if ending.end_reason is EndReason.DENIED_AT_DIAL and call.denial is None:
        await call_records.note(transaction, call.id, at, denial=GATE_SILENT.document())
    await call_records.end(
        transaction,
        call.id,
        at,
        ending,
        hangup_cause=decisive.hangup_cause if decisive is not None else None,
        tech_cause=decisive.tech_cause if decisive is not None else None,
        **_moments(call, customers, at),
    )


def _moments(call: Row[Any], customers: Sequence[Row[Any]], ended_at: datetime) -> dict[str, datetime]:
    """The call's moments that are not as written: answered when the leg says so, and none after what came later."""
    answered = [leg.answered_at for leg in customers if leg.answered_at]
    known = {
        name: getattr(call, name) for name in ("connected_at", "alerted_at", "calling_customer_at", "calling_agent_at")
    }
    if answered and call.direction == "outbound":
        known["connected_at"] = min(answered)
    right, latest = {}, ended_at
    for name, moment in known.items():
        if moment is not None:
            latest = min(moment, latest)
            right[name] = latest
    return {name: moment for name, moment in right.items() if moment != getattr(call, name)}


def _judge(call: Row[Any], agent: Row[Any] | None, customers: Sequence[Row[Any]], decisive: Row[Any] | None) -> Ending:
    if customers and decisive is not None:
        return judge_customer_leg(
            LegEnding(
                answered=decisive.answered_at is not None,
                alerted=decisive.alerted_at is not None,
                cause=decisive.hangup_cause,
                tech_cause=decisive.tech_cause,
                # A hang-up after Dial() had come to another end (during the busy tone) does not change that end.
                canceled=decisive.dial_status == "CANCEL"
                or (bool(call.hangup_by) and (decisive.dial_status is None or call.origin == TRANSFER)),
            )
        )
    if call.denial:
        return Ending(EndReason.DENIED_AT_DIAL, NOT_PLACED)
    answered = agent is not None and agent.answered_at is not None
    if call.state == State.CALLING_CUSTOMER and agent is not None and agent.hangup_cause == _NO_WAY:
        # The gate allowed it, and Dial() could not even make a channel: the trunk is down.
        return Ending(EndReason.FAILED, NOT_PLACED)
    if (answered and not call.hangup_by) or call.state == State.CALLING_CUSTOMER:
        # The collector answered and no customer leg was made: the gate was silent, late or not there.
        return Ending(EndReason.DENIED_AT_DIAL, NOT_PLACED)
    return judge_agent_leg(agent.hangup_cause if agent is not None else None, bool(call.hangup_by), answered)
