"""What tests of trunks ask and wait for: a trunk as an admin types it, what stands on the PBX, what the journal tells."""

import asyncio
from collections.abc import Callable
from typing import Any

from telephony.trunking import file
from tests.support.carrier_world import ACCOUNT, SECRET, CarrierWorld, until
from tests.support.floor import PATIENCE, PBX, Floor

OURS = "+861065550001"
FIRST = {"priority": 1, "prefixes": ["+8613"], "caller_ids": [OURS]}


def body(world: CarrierWorld, name: str = "acme", **changes: Any) -> dict[str, Any]:
    """A trunk to the carrier, as an admin types it."""
    login = {"username": ACCOUNT, "secret": SECRET, "register": True}
    return {"name": name, "pbx": PBX, "host": "127.0.0.2", "port": world.port, **login, **FIRST, **changes}


async def create(floor: Floor, given: dict[str, Any], status: int = 201, path: str = "/v1/trunks") -> dict[str, Any]:
    document: dict[str, Any] = await floor.expect(status, "POST", path, user="admin", body=given)
    return document


async def written(floor: Floor) -> tuple[Any, ...]:
    """What our files on the PBX hold."""
    link = floor.services.pbxs[PBX].link
    assert not await file.read(link, file.DRAFT)
    return await file.read(link) or ()


async def password(floor: Floor) -> str:
    """The password that stands there."""
    found = {key: value for section in await written(floor) for key, value in section.lines}
    return str(found["password"])


async def kinds(floor: Floor, kind: str) -> list[dict[str, Any]]:
    """The data of the journal's entries of a kind, newest first."""
    entries = (await floor.expect(200, "GET", f"/v1/journal?kind={kind}", user="admin"))["items"]
    return [entry["data"] for entry in entries]


async def shows(floor: Floor, name: str, told: Callable[[dict[str, Any]], bool]) -> None:
    """Return once the trunk shows that."""

    async def reached() -> bool:
        return told(await floor.expect(200, "GET", f"/v1/trunks/{name}", user="supervisor"))

    await until(reached)


async def health(floor: Floor, name: str, state: str) -> dict[str, Any]:
    """The trunk's health once it is in that state."""
    async with asyncio.timeout(2 * PATIENCE):
        while True:
            trunk = await floor.expect(200, "GET", f"/v1/trunks/{name}", user="supervisor")
            if trunk["health"]["state"] == state:
                found: dict[str, Any] = trunk["health"]
                return found
            await asyncio.sleep(0.2)
