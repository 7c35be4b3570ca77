"""A client's recording announcement is played to the customer before the collector is put through."""

import asyncio

import pytest

from tests.support.floor import ALWAYS, PATIENCE, Floor

pytestmark = pytest.mark.flow


@pytest.mark.parametrize(("sound", "result"), [("conf-now-recording", "SUCCESS"), ("no-such-sound", "FAILED")])
async def test_what_became_of_the_announcement_is_journalled(floor: Floor, sound: str, result: str) -> None:
    await floor.expect(201, "PUT", "/v1/policies/announcing", user="admin", body={**ALWAYS, "announcement": sound})
    await floor.case("+8613800138002", client="announcing")
    call = await floor.call("+8613800138002")
    await floor.until(call, "connected")
    await asyncio.sleep(3)  # the announcement, and a little talk
    await floor.hangup(call)
    async with asyncio.timeout(PATIENCE):
        while True:
            if entries := await _announced(floor):
                break
            await asyncio.sleep(0.1)
    assert [(entry["call_id"], entry["data"]["result"]) for entry in entries] == [(call["id"], result)]


async def _announced(floor: Floor) -> list[dict]:
    page = await floor.expect(200, "GET", "/v1/journal?kind=call.announced", user="admin")
    items: list[dict] = page["items"]
    return items
