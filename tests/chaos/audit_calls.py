"""Whether the books of a call are right: held against what the world saw of it, and against each other."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy.engine import Row

from crm_bridge.demo.world import SeenCall
from telephony.calls.call_states import TRANSITIONS, State
from tests.chaos.books import Books, Finding
from tests.chaos.calls import Click
from tests.chaos.moments import Scene

NEAR = timedelta(seconds=1)
"""How far a moment may be from the world's, on a machine that has time; on a busy one, further by three times its lag."""
MOMENTS = ("created_at", "calling_agent_at", "calling_customer_at", "connected_at", "ended_at")
MAY_REFUSE = {"house/recorder-unhealthy", "house/clock-doubt"}
"""A service that has just started, or whose disks fail, lets nothing out until it has proved that it can record."""
OUTCOMES = {
    "86": ("busy", {"busy"}),
    "26": ("busy", {"busy"}),
    "03": ("rejected", {"rejected"}),
    "23": ("rejected", {"rejected"}),
    "04": ("not_in_service", {"failed"}),
    "53": ("failed", {"failed"}),
    "48": ("no_answer", {"no_answer"}),
}
"""Of numbers that end the call unanswered by themselves: outcome and end reasons."""


def audit_calls(scene: Scene, books: Books) -> list[Finding]:
    """Every violated invariant of the round's calls."""
    return [finding for click in scene.clicks for finding in _audit(scene, click, books)]


def _audit(scene: Scene, click: Click, books: Books) -> Iterator[Finding]:
    rows, invites = books.calls[click.number], books.carriers_saw(click.number)
    told = {document["id"] for status, document in click.answers if status == 201}

    def wrong(code: str, expected: str) -> Finding:
        return Finding(code, expected, rows[0].id if rows else None, click.number)

    if len(rows) > 1:
        yield wrong("click-doubled", f"one call row for one Idempotency-Key, not {len(rows)}")
    if told - {row.id for row in rows}:
        yield wrong("call-lost", f"a row for the call that the desk was shown: {', '.join(told)}")
    if len(invites) > 1:
        yield wrong("dialled-twice", f"one INVITE to the customer, not {len(invites)}")
    if len(books.phone_saw(click)) > 1:
        yield wrong("phone-rung-twice", f"one INVITE to the phone, not {len(books.phone_saw(click))}")
    for status, document in click.answers:
        if status == 403 and document.get("rule") not in MAY_REFUSE:
            yield wrong("refused", f"no refusal, since nothing forbids the call: {document.get('rule')}")
        if status >= 500 and status != 503:
            yield wrong("click-failed", f"201, 403, 409 or 503, not {status}: {document}")
    if not rows and invites:
        yield wrong("dialled-unbooked", "a call row for every INVITE")
    for row in rows:
        for code, expected in (*_of_row(scene, click, row, books), *_of_world(scene, row, invites, books, click)):
            yield Finding(code, expected, row.id, click.number)


def _of_row(scene: Scene, click: Click, row: Row[Any], books: Books) -> Iterator[tuple[str, str]]:
    """The row against the other tables."""
    if row.ended_at is None:
        yield "open", f"an end; it is {row.state} since {row.created_at:%H:%M:%S}"
        return
    if not any(decision.id == row.decision_id for decision in books.decisions[row.id]):
        yield "no-decision", f"the decision {row.decision_id} of the click"
    contacts = books.contacts[row.id]
    if [contact.outcome for contact in contacts] != [row.outcome]:
        yield "contact", f"one contact with outcome {row.outcome}, not {[contact.outcome for contact in contacts]}"
    if len(books.notes[row.id]) != 1:
        yield "note", f"one note, not {len(books.notes[row.id])}"
    for leg in books.legs[row.id]:
        if leg.ended_at is None:
            yield "leg-open", f"an end of leg {leg.uniqueid} ({leg.role})"
    yield from _of_journal(row, books)
    moments = [getattr(row, name) for name in MOMENTS if getattr(row, name)]
    if not scene.clock_moved and moments != sorted(moments):
        yield "moments", f"moments in order: {[f'{moment:%H:%M:%S.%f}' for moment in moments]}"


def _of_journal(row: Row[Any], books: Books) -> Iterator[tuple[str, str]]:
    entries = sorted((entry for entry in books.journal[row.id] if entry.kind.startswith("call.")), key=lambda e: e.id)
    kinds = [entry.kind for entry in entries if entry.kind in ("call.created", "call.state", "call.ended")]
    for kind in ("call.created", "call.ended"):
        if kinds.count(kind) != 1:
            yield "journal", f"one {kind}, not {kinds.count(kind)}"
    if "call.ended" in kinds and kinds[-1] != "call.ended":
        yield "journal", f"nothing after call.ended: {kinds}"
    shown = [entry.data["call"] for entry in entries if "call" in entry.data]
    for before, after in pairwise(shown):
        if before == after:
            yield "journal", f"no entry twice: {after['state']}"
        elif before["state"] != after["state"] and after["state"] not in TRANSITIONS[State(before["state"])]:
            yield "journal", f"no way from {before['state']} to {after['state']}"


def _of_world(
    scene: Scene, row: Row[Any], invites: list[SeenCall], books: Books, click: Click
) -> Iterator[tuple[str, str]]:
    """The row against what the world's carriers and phones saw."""
    if row.ended_at is None:
        return
    if not invites:
        if row.outcome != "not_placed" and not scene.pbx_killed:
            yield "never-dialled", f"outcome not_placed, not {row.outcome} ({row.end_reason}): no INVITE left"
        return
    if row.outcome == "not_placed":
        yield "dialled-not-placed", f"an outcome other than not_placed ({row.end_reason}): an INVITE left"
    if not any(decision.kind == "gate" and decision.verdict == "allow" for decision in books.decisions[row.id]):
        yield "no-gate-decision", "an allowing decision of the gate before the INVITE"
    answered = next((seen for seen in invites if seen.answered), None)
    if scene.pbx_killed:
        if answered is None and row.outcome == "conversation":
            yield "outcome", "no conversation: nobody answered"
    elif answered is not None and not _crossed(scene, row, answered):
        yield from _of_conversation(scene, row, answered, books.phone_saw(click))
    else:
        yield from _of_silence(row, invites[-1], click)


def _crossed(scene: Scene, row: Row[Any], customer: SeenCall) -> bool:
    """Whether an answer lay at a frozen PBX until its own ring limit had run out: taken back at once, connected to nobody."""
    return scene.pbx_late and row.connected_at is None and row.outcome == "no_answer" and customer.ended_by == "pbx"


def _of_conversation(
    scene: Scene, row: Row[Any], customer: SeenCall, phone: list[SeenCall]
) -> Iterator[tuple[str, str]]:
    if (row.end_reason, row.outcome) != ("completed", "conversation"):
        yield "outcome", f"completed, conversation: the customer answered; not {row.end_reason}, {row.outcome}"
    if row.hangup_cause != 16:
        yield "cause", f"cause 16, not {row.hangup_cause}"
    if scene.clock_moved or scene.pbx_late:
        return
    near = NEAR + timedelta(seconds=3 * scene.stage.lag)
    if not _near(row.connected_at, customer.answered, near):
        yield "answer-time", f"connected_at {customer.answered}, not {row.connected_at}"
    ends = [seen.ended for seen in (customer, *phone) if seen.ended]
    if ends and not _near(row.ended_at, max(ends), near):
        yield "end-time", f"ended_at {max(ends)}, not {row.ended_at}"


def _of_silence(row: Row[Any], invite: SeenCall, click: Click) -> Iterator[tuple[str, str]]:
    if row.outcome == "conversation":
        yield "outcome", "no conversation: nobody answered"
    if row.end_reason == "lost":
        yield "outcome", "a known end: the PBX lived all along"
    known = OUTCOMES.get(click.behaviour)
    if known and invite.ended_by == "world" and (row.outcome != known[0] or row.end_reason not in known[1]):
        yield "outcome", f"{known[0]} for a number of kind {click.behaviour}, not {row.outcome} ({row.end_reason})"


def _near(written: datetime | None, true: datetime | None, near: timedelta) -> bool:
    return written is not None and true is not None and abs(written - true) <= near
