"""What becomes of a call that is handed on: written by the events, whoever asked for it (`calls.transfer`).

A transfer is `{kind: blind|attended, to, targets: {extension: user}, number, party_id, call_id, by, leg, state, reason, denial,
at}`; `state` is ringing, consulting, done, failed or canceled, `leg` the Uniqueid of the agent leg that gives the call away,
`call_id` the target's own call where it is outside.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from config.database import Transaction
from telephony.calls import call_records
from telephony.calls.call_states import EndReason
from telephony.calls.outcomes import NOT_PLACED, Ending

UNDER_WAY = ("ringing", "consulting")
"""States of a transfer that is not over."""
FAILURES = {"BUSY": "busy", "NOANSWER": "no_answer", "CANCEL": "canceled", "ANSWER": "hung_up", "": "denied"}
"""What Dial's status means to who gave the call away; any other: unreachable."""


def under_way(call: Row[Any]) -> dict[str, Any] | None:
    """The transfer of a call that is not over yet."""
    transfer: dict[str, Any] | None = call.transfer
    return transfer if transfer and transfer["state"] in UNDER_WAY else None


async def handed_on(
    transaction: Transaction, call: Row[Any], to: str, kind: str, agent: str | None, now: datetime, **known: Any
) -> None:
    """The call's outside party talks with somebody else now: `agent`, or None for an outside number. Journalled.

    `to` and `kind` are what is said of a transfer that nobody asked for here: a phone's own.
    """
    asked = under_way(call)
    transfer = {**(asked or {"to": to, "kind": kind, "by": call.current_agent}), "state": "done", "at": now.isoformat()}
    done = await call_records.note(transaction, call.id, now, transfer=transfer, muted=False, current_agent=agent)
    if done is not None:
        told = {"from": call.current_agent, "to": to, "kind": transfer["kind"], **known}
        entry = call_records.entry("call.transferred", done, now, transfer["by"] or "system")
        transaction.journal(replace(entry, data={**told, **entry.data}))


async def consults(transaction: Transaction, call_id: str, now: datetime) -> None:
    """Who gives the call away talks with the target first."""
    call = await call_records.find(transaction.connection, call_id)
    transfer = under_way(call) if call is not None else None
    if transfer and transfer["kind"] == "attended" and transfer["state"] == "ringing":
        await call_records.note(transaction, call_id, now, transfer={**transfer, "state": "consulting"})


async def not_taken(transaction: Transaction, told: Mapping[str, str], now: datetime) -> None:
    """The target was not reached, or left after a consultation: who gave the call away has it back. Journalled.

    `told` are the headers of the dialplan's UserEvent: Call, Result (Dial's status, empty: the gate said no).
    """
    call = await call_records.find(transaction.connection, told["Call"])
    if call is None or not call.transfer:
        return
    result, target_id = told.get("Result", ""), call.transfer.get("call_id") or ""
    await end_undialled(transaction, target_id, now)
    transfer = under_way(call)
    if transfer is None or (result == "ANSWER" and transfer["kind"] == "blind"):
        return
    target = await call_records.find(transaction.connection, target_id)
    why = {"reason": FAILURES.get(result, "unreachable"), "denial": target.denial if target is not None else None}
    failed = {**transfer, **why, "state": "failed", "at": now.isoformat()}
    noted = await call_records.note(transaction, call.id, now, transfer=failed)
    if noted is not None:
        entry = call_records.entry("call.transfer_failed", noted, now, transfer["by"])
        transaction.journal(replace(entry, data={"to": transfer["to"], "kind": transfer["kind"], **why, **entry.data}))


async def end_undialled(transaction: Transaction, call_id: str, now: datetime) -> None:
    """A target's call that never got a leg has nothing that could end it."""
    target = await call_records.find(transaction.connection, call_id)
    if target is None or target.ended_at or await call_records.legs_of(transaction.connection, call_id):
        return
    reason = EndReason.DENIED_AT_DIAL if target.calling_customer_at is None else EndReason.FAILED
    await call_records.end(transaction, call_id, now, Ending(reason, NOT_PLACED))
