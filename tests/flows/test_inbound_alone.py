"""Inbound calls while the service is away, silent or killed: answered and recorded all the same, written down afterwards."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crm_bridge.demo.lab import Lab
from tests.chaos.service import ServiceProcess
from tests.support.callers import CALLER, Callers, opened_to_callers
from tests.support.configuration import configuration
from tests.support.floor import PATIENCE, Floor, floor_settings, free_port, furnish, hire, migrated, prepare_pbx

pytestmark = pytest.mark.flow


@dataclass
class Served:
    """A floor whose service is a process of its own."""

    process: ServiceProcess
    callers: Callers

    async def told(self, value: str) -> None:
        """Wait until the PBX knows what to do alone."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if value in await self.callers.lab.pbx.console("database get ringfence inbound-fallback"):
                    return
                await asyncio.sleep(0.1)

    async def start(self) -> None:
        """Start the process and wait until it serves."""
        self.process.start()
        await self.process.ready(self.callers.floor.http)


@asynccontextmanager
async def _served(lab: Lab, folder: Path, gate_port: int) -> AsyncIterator[Served]:
    settings = floor_settings(lab, folder, gate_port, f"sqlite+aiosqlite:///{folder / 'ringfence.db'}")
    database = await migrated(settings.database.url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    await lab.pbx.console("database del ringfence inbound-fallback")  # what another test told the PBX
    port = free_port()
    config = folder / "ringfence.toml"
    config.write_text(configuration(settings, port), encoding="utf-8")
    config.chmod(0o600)
    process = ServiceProcess(config, port)
    async with aiohttp.ClientSession() as http:
        floor = Floor(lab, settings, http, tokens, address=process.base)
        async for callers in opened_to_callers(floor):
            served = Served(process, callers)
            try:
                await served.start()
                await furnish(floor)
                yield served
            finally:
                process.signal(signal.SIGCONT)
                await process.kill()


@pytest.fixture
async def served(lab: Lab, tmp_path: Path, gate_port: int) -> AsyncIterator[Served]:
    """A floor whose service can be killed."""
    async with _served(lab, tmp_path, gate_port) as opened:
        yield opened


async def _answered(served: Served, phone: str, before: int) -> None:
    """Wait until the phone has answered one call more than `before`: other tests have rung it, too."""
    async with asyncio.timeout(PATIENCE):
        while True:
            seen = await served.callers.lab.world.calls_seen(phone)
            if len(seen) > before and seen[-1].answered is not None:
                return
            await asyncio.sleep(0.05)


async def _adopted(served: Served, legs: int = 2) -> dict[str, Any]:
    callers = served.callers
    ended = await callers.state(await callers.inbound(), "ended")
    async with asyncio.timeout(PATIENCE * 2):
        while True:
            found = await callers.show(ended)
            if sum(item["state"] == "archived" for item in found["recordings"]) >= legs:
                return found
            await asyncio.sleep(0.2)


async def test_a_call_that_comes_while_the_service_is_down_is_answered_recorded_and_adopted(served: Served) -> None:
    callers = served.callers
    case_id = await callers.floor.case(CALLER, collector="other")
    await callers.group("desk", "other")
    await callers.route("*", to="group", target="desk", ring_seconds=15)
    await served.told("1002:15:")
    await served.process.kill()
    before = len(await callers.lab.world.calls_seen("1002"))
    channel = await callers.call()
    await _answered(served, "1002", before)
    await asyncio.sleep(2)  # the conversation
    await callers.lab.world.give_up(channel)
    await callers.lab.world.wait_for_call("1002", ended=True)
    await served.start()
    call = await _adopted(served)
    assert (call["end_reason"], call["outcome"], call["number"]) == ("completed", "conversation", CALLER)
    assert (call["agent"], call["extension"], call["case_id"]) == ("other", "1002", case_id)
    assert {item["leg"] for item in call["recordings"]} == {"agent", "customer"}
    assert all(item["duration"] > 1 and item["flags"] == [] for item in call["recordings"]), call["recordings"]
    talked = await callers.floor.expect(200, "GET", f"/v1/cases/{case_id}/notes", user="supervisor")
    assert [note["call_id"] for note in talked["items"]] == [call["id"]]
    (told,) = [entry for entry in await callers.journal("call.inbound") if entry["data"]["adopted"]]
    assert told["call_id"] == call["id"]


async def test_a_call_missed_while_the_service_is_down_becomes_a_call_back(served: Served) -> None:
    callers = served.callers
    await callers.floor.case(CALLER, collector="collector")
    await served.process.kill()
    await callers.call()
    await asyncio.sleep(4)  # the polite word
    await callers.lab.world.hangup_all()
    await served.start()
    ended = await callers.state(await callers.inbound(), "ended")
    assert (ended["outcome"], ended["number"]) == ("no_answer", CALLER)
    page = await _tasks(served)
    assert [(task["number"], task["agent"], task["call_id"]) for task in page] == [(CALLER, "collector", ended["id"])]


async def test_a_service_that_says_nothing_in_time_does_not_cost_the_call(served: Served) -> None:
    callers = served.callers
    await callers.floor.case(CALLER, collector="collector")
    await callers.group("desk", "other")
    await callers.route(overflow=[{"to": "group", "target": "desk"}])
    await served.told("1002:20:")
    served.process.signal(signal.SIGSTOP)
    before = len(await callers.lab.world.calls_seen("1002"))
    channel = await callers.call()
    await _answered(served, "1002", before)
    served.process.signal(signal.SIGCONT)
    await asyncio.sleep(2)  # the conversation
    await callers.lab.world.give_up(channel)
    call = await _adopted(served)
    assert (call["end_reason"], call["agent"], call["number"]) == ("completed", "other", CALLER)
    assert call["created_at"] < call["connected_at"] < call["ended_at"]
    assert len(await callers.until(lambda items: bool(items))) == 1, "one call, not two"


async def test_a_conversation_outlives_the_service_that_is_killed(served: Served) -> None:
    callers = served.callers
    await callers.floor.case(CALLER, collector="collector")
    await callers.route()
    channel = await callers.call()
    call = await callers.state(await callers.inbound(), "connected")
    await served.process.kill()
    await asyncio.sleep(2)  # they talk on
    await served.start()
    assert (await callers.state(call, "connected"))["agent"] == "collector"
    await callers.lab.world.give_up(channel)
    ended = await _adopted(served)
    assert (ended["id"], ended["end_reason"], ended["agent"]) == (call["id"], "completed", "collector")
    moments = [datetime.fromisoformat(document["connected_at"]) for document in (ended, call)]
    assert abs(moments[0] - moments[1]) < timedelta(seconds=1)


async def test_a_caller_who_hangs_up_while_the_service_is_dead_is_written_down_as_it_was(served: Served) -> None:
    callers = served.callers
    await callers.floor.case(CALLER, collector="collector")
    await callers.route()
    channel = await callers.call()
    call = await callers.state(await callers.inbound(), "connected")
    await served.process.kill()
    await callers.lab.world.give_up(channel)
    await callers.lab.world.wait_for_call("1001", ended=True)
    await served.start()
    ended = await _adopted(served)
    assert (ended["id"], ended["end_reason"], ended["outcome"]) == (call["id"], "completed", "conversation")


async def test_when_the_pbx_dies_in_the_conversation_the_call_is_lost_and_what_was_recorded_is_kept(
    served: Served,
) -> None:
    callers = served.callers
    await callers.floor.case(CALLER, collector="collector")
    await callers.route()
    await callers.call()
    call = await callers.state(await callers.inbound(), "connected")
    await asyncio.sleep(2)  # a little talk
    await callers.lab.pbx.kill()
    await callers.lab.restart_pbx()
    ended = await callers.state(call, "ended")
    assert (ended["end_reason"], ended["outcome"], ended["agent"]) == ("lost", "conversation", "collector")
    kept = await _adopted(served)
    assert all(item["duration"] > 1 for item in kept["recordings"])


async def _tasks(served: Served) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE):
        while True:
            page = await served.callers.floor.expect(200, "GET", "/v1/call-backs")
            if page["items"]:
                items: list[dict[str, Any]] = page["items"]
                return items
            await asyncio.sleep(0.05)
