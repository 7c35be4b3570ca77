"""Pausing a recording (card data): a marked gap of the same length, that ends by itself, and is no incident."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import LiveCalls, Settings
from crm_bridge.demo.behaviours import number_tone
from crm_bridge.demo.lab import Lab
from tests.flows.test_hold import control, incidents, talk
from tests.support.floor import (
    Floor,
    floor_settings,
    furnish,
    hire,
    migrated,
    open_floor,
    prepare_pbx,
)
from tests.support.heard_calls import THEIRS, audio_of, tone_of, tones_of
from tests.support.tones import carries

pytestmark = pytest.mark.flow

ANSWERS = "+8613800138002"
SHORT = LiveCalls(longest_pause_seconds=5, pause_roles=["collector"])


@pytest.fixture
async def prepared(lab: Lab, tmp_path: Path, gate_port: int) -> tuple[Settings, dict[str, str]]:
    """A floor's settings with short pauses for collectors only, and its people."""
    settings = floor_settings(lab, tmp_path, gate_port, f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}")
    database = await migrated(settings.database.url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    return settings.model_copy(update={"live_calls": SHORT}), tokens


@pytest.fixture
async def brief(lab: Lab, prepared: tuple[Settings, dict[str, str]]) -> AsyncIterator[Floor]:
    """A floor on which a pause ends after five seconds."""
    settings, tokens = prepared
    async with open_floor(lab, settings, tokens) as floor:
        await furnish(floor)
        yield floor


async def told(floor: Floor, call: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    listed = await floor.expect(200, "GET", f"/v1/journal?call_id={call['id']}&limit=200", user="admin")
    return [item for item in listed["items"] if item["kind"] == kind]


async def gaps(floor: Floor, call: dict[str, Any]) -> list[dict[str, Any]]:
    peaks = await floor.expect(200, "GET", f"/v1/calls/{call['id']}/peaks", user="qa")
    return [region for region in peaks["regions"] if region["kind"] == "pause"]


async def test_nothing_is_recorded_while_paused_and_everything_is_in_step(either_floor: Floor) -> None:
    floor = either_floor
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    await talk()
    paused = await control(floor, call, "pause-recording?reason=card")
    assert paused["paused_until"] is not None
    assert (await control(floor, call, "pause-recording"))["paused_until"] == paused["paused_until"]
    await talk()
    assert (await control(floor, call, "resume-recording"))["paused_until"] is None
    await talk()
    await floor.hangup(call)
    await floor.archived(call)
    (gap,) = await gaps(floor, call)
    samples, rate = await audio_of(floor, call)
    whole = len(samples) / rate
    inside = samples[int((gap["start"] + 0.3) * rate) : int((gap["end"] - 0.3) * rate)]
    assert abs(inside).max() <= 8, "nothing but silence"
    assert carries(samples[:, THEIRS], rate, number_tone(ANSWERS)) >= whole - (gap["end"] - gap["start"]) - 2.5
    (entry,) = await told(floor, call, "recording.paused")
    assert (entry["actor"], entry["data"]["reason"]) == ("collector", "card")
    (entry,) = await told(floor, call, "recording.resumed")
    assert (entry["actor"], entry["data"]["why"]) == ("collector", "asked")
    assert await incidents(floor) == []


async def test_a_pause_ends_by_itself(brief: Floor) -> None:
    call = await brief.call(ANSWERS)
    await brief.until(call, "connected")
    await talk()
    await control(brief, call, "pause-recording")
    await brief.until(call, lambda now: now["paused_until"] is None)
    await talk()
    await brief.hangup(call)
    await brief.archived(call)
    samples, rate = await audio_of(brief, call)
    assert tones_of(samples[:, THEIRS], rate) == [number_tone(ANSWERS)]
    assert carries(samples[-rate:, THEIRS], rate, number_tone(ANSWERS)) >= 0.5, "the end is recorded again"
    (entry,) = await told(brief, call, "recording.resumed")
    assert (entry["actor"], entry["data"]["why"]) == ("system", "time_over")
    assert await incidents(brief) == []


async def test_a_pause_ends_by_itself_after_a_restart(lab: Lab, prepared: tuple[Settings, dict[str, str]]) -> None:
    settings, tokens = prepared
    async with open_floor(lab, settings, tokens) as floor:
        await furnish(floor)
        call = await floor.call(ANSWERS)
        await floor.until(call, "connected")
        await control(floor, call, "hold")
        await control(floor, call, "unhold")
        await control(floor, call, "pause-recording")
        await control(floor, call, "hold")
    async with open_floor(lab, settings, tokens) as floor:
        assert (await floor.show(call))["state"] == "held", "what was held is held, and not taken for connected"
        await floor.until(call, lambda now: now["paused_until"] is None)
        assert (await control(floor, call, "unhold"))["state"] == "connected"
        await talk()
        await floor.hangup(call)
        await floor.archived(call)
        samples, rate = await audio_of(floor, call)
        assert carries(samples[-rate:, THEIRS], rate, number_tone(ANSWERS)) >= 0.5
        assert await incidents(floor) == []


async def test_handing_a_call_on_ends_its_pause(brief: Floor) -> None:
    call = await brief.call(ANSWERS)
    await brief.until(call, "connected")
    await control(brief, call, "pause-recording")
    body = {"to": "other", "kind": "blind"}
    now = await brief.expect(200, "POST", f"/v1/calls/{call['id']}/transfer", body=body)
    assert now["paused_until"] is None
    await brief.until(call, lambda now: now["current_agent"] == "other")
    await talk()
    await brief.lab.world.hangup(ANSWERS)
    await brief.ended(call)
    await brief.archived(call, 3)
    samples, rate = await audio_of(brief, call)
    assert tones_of(samples[:, 0], rate)[-1] == tone_of("1002")
    (entry,) = await told(brief, call, "recording.resumed")
    assert entry["data"]["why"] == "handed_on"


async def test_only_the_roles_of_the_settings_pause(brief: Floor) -> None:
    call = await brief.call(ANSWERS)
    await brief.until(call, "connected")
    await control(brief, call, "pause-recording", 403, user="supervisor")
    await control(brief, call, f"pause-recording?reason={'x' * 300}", 422)
    await control(brief, call, "pause-recording")
    await brief.hangup(call)
    assert (await brief.show(call))["state"] == "ended"
