"""Collectors whose phones are in our context, so that what they dial themselves passes the gate."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from config import clock
from crm_bridge.people import credentials, users
from tests.support.floor import PATIENCE, Floor, prepare_pbx


async def move_phones(floor: Floor, people: dict[str, str], **fields: Any) -> None:
    """Hire collectors (name: extension) and move their phones into our context."""
    await hire_collectors(floor, people, **fields)
    await prepare_pbx(floor.settings, phones=list(people.values()))


async def hire_collectors(floor: Floor, people: dict[str, str], **fields: Any) -> None:
    """Hire collectors (name: extension)."""
    async with floor.services.database.write() as transaction:
        for name, extension in people.items():
            new = users.read_new({"name": name, "role": "collector", "extension": extension, **fields})
            await users.add_user(transaction, new, actor="tests", now=clock.now())
            _, floor.tokens[name] = await credentials.create_token(
                transaction, name, label="tests", expires_at=None, actor="tests", now=clock.now()
            )


async def newest_call(floor: Floor, user: str, known: int = 0, **wanted: Any) -> dict[str, Any]:
    """The newest call of that collector once there are more than `known` like it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            page = await floor.expect(200, "GET", "/v1/calls?mine=true", user=user)
            items = [item for item in page["items"] if all(item[key] == value for key, value in wanted.items())]
            if len(items) > known:
                newest: dict[str, Any] = items[0]
                return newest
            await asyncio.sleep(0.05)


async def typed(floor: Floor, user: str, phone: str, digits: str) -> dict[str, Any]:
    """That phone dials; the call that comes of it."""
    page = await floor.expect(200, "GET", "/v1/calls?mine=true", user=user)
    await floor.lab.world.dial(phone, digits)
    return await newest_call(floor, user, len(page["items"]))


async def sound_of(floor: Floor, call: dict[str, Any], folder: Path) -> tuple[np.ndarray, int]:
    """The call as heard, channel 0 our side, channel 1 the outside party's; and its rate."""
    path = folder / f"{call['id']}.wav"
    path.write_bytes(await floor.expect(200, "GET", f"/v1/calls/{call['id']}/audio?format=wav", user="qa"))
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return samples, rate
