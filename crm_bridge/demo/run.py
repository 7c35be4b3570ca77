"""`make demo`: a PBX, a world of phones and carriers, the service with a small floor of cases, and one real call."""

import asyncio
import contextlib
import json
import secrets
import signal
import time
from typing import Any

from rich.console import Console

from config import clock
from config.errors import Fault
from crm_bridge.demo.cases import CASES
from crm_bridge.demo.floor import PEOPLE, DemoFailed, Desk, demo_floor, logged_in

TALK_SECONDS = 6
TALKATIVE = ("02", "05", "12", "07", "06")
"""Last digits of the demo's numbers that answer and talk."""
CALL_TIMEOUT = 90


console = Console(highlight=False, soft_wrap=True)


def _step(text: str) -> None:
    console.print(f"[bold]==>[/bold] {text}")


async def run_demo(*, once: bool) -> int:
    """Run it; returns the exit code. Ctrl-C ends the serving and leaves nothing running."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(_demo(once=once, stop=stop))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done() and not once:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(work), 0.5)
    if not work.done():
        work.cancel()
    stopped.cancel()
    try:
        await work
    except asyncio.CancelledError:
        return 130
    except Fault as fault:
        console.print(f"[red]the demo failed:[/red] {fault.detail}")
        return 1
    return 0


async def _demo(*, once: bool, stop: asyncio.Event) -> None:
    started = time.monotonic()
    password = secrets.token_urlsafe(9)
    async with demo_floor(password, _step, lambda line: console.print(f"    {line}")) as base:
        async with logged_in(base, "collector", password) as collector:
            await _one_call(collector)
        console.print(f"[green]done in {time.monotonic() - started:.1f} s[/green]")
        if not once:
            _invite(base, password)
            await stop.wait()


async def _one_call(desk: Desk) -> None:
    body, call = await _first_allowed(desk)
    _step(f"calling {body['number']} of case {body['case_id']}: allowed, decision {call['decision_id']}")
    shown: set[str] = set()
    deadline = time.monotonic() + CALL_TIMEOUT
    connected: float | None = None
    while time.monotonic() < deadline:
        call = await desk.must("GET", f"/v1/calls/{call['id']}")
        if call["state"] not in shown:
            shown.add(call["state"])
            console.print(f"    {clock.now():%H:%M:%S.%f}"[:-3] + f"  {call['state']}")
        if call["state"] == "connected" and connected is None:
            connected = time.monotonic()
        if connected is not None and time.monotonic() - connected > TALK_SECONDS and not call["hangup_by"]:
            await desk.must("POST", f"/v1/calls/{call['id']}/hangup")
        if call["ended_at"] and sum(item["state"] == "archived" for item in call["recordings"]) == len(BOTH_LEGS):
            break
        await asyncio.sleep(0.1)
    else:
        raise DemoFailed(f"the call did not come to its end in {CALL_TIMEOUT} s: {json.dumps(call)}")
    await _show_what_is_left(desk, call)


BOTH_LEGS = ("agent", "customer")


async def _first_allowed(desk: Desk) -> tuple[dict[str, Any], dict[str, Any]]:
    """Click down the list until the rules allow one; the demo loosens none of them."""
    for case in CASES:
        party = case.people[0]
        number = party.numbers[0]
        if not number.endswith(TALKATIVE):
            continue
        body = {"case_id": case.id, "party_id": party.id, "number": number}
        status, document = await desk.ask("POST", "/v1/calls", body, Idempotency_Key=secrets.token_hex(8))
        if status == 201:
            return body, document
        if status != 403:
            raise DemoFailed(f"calling {number} answered {status}: {document}")
        console.print(f"    {case.id} {number}: not now, {document['reason']}")
    raise DemoFailed("no case may be called now")


async def _show_what_is_left(desk: Desk, call: dict[str, Any]) -> None:
    if call["outcome"] != "conversation":
        raise DemoFailed(f"the call ended {call['end_reason']} ({call['outcome']}), a conversation was expected")
    console.print(f"    ended: {call['end_reason']}, hangup cause {call['hangup_cause']}")
    for recording in call["recordings"]:
        console.print(
            f"    recording {recording['leg']:<8} {recording['duration']:.1f} s, archived, "
            f"sha256 {recording['sha256'][:16]}…, pcm {recording['pcm_sha256'][:16]}…"
        )
        if recording["flags"]:
            raise DemoFailed(f"the recording of the {recording['leg']} leg is flagged {recording['flags']}")
    notes = await desk.must("GET", f"/v1/cases/{call['case_id']}/notes")
    mine = [note for note in notes["items"] if note["call_id"] == call["id"]]
    if not mine:
        raise DemoFailed("no note was drafted for the call")
    console.print(f"    note {mine[0]['id']} drafted for {mine[0]['number']} ({mine[0]['relation']})")


def _invite(base: str, password: str) -> None:
    console.print(
        f"\nThe desk is at [bold]{base}[/bold] until Ctrl-C. The password of each is [bold]{password}[/bold]:"
    )
    for name, role, extension in PEOPLE:
        console.print(f"    {name:<12} {role}" + (f", phone {extension}" if extension else ""))
