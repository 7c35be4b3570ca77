"""A lab of its own whose world also takes a log-in: the carrier `acme`, reached at the addresses of carrier-a and carrier-b."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from crm_bridge.demo.behaviours import PHONES
from crm_bridge.demo.lab import Lab
from tests.support.floor import PATIENCE, Floor, free_port, furnished_floor

ACCOUNT, SECRET = "acme", 'se;cr"et> \\;x'
"""What breaks a configuration file that is written carelessly."""


SLOWLY_CONGESTED = "52"
"""Last digits of a number that finds no way after three seconds, in which nothing rings."""
_BEHAVIOUR = f"""
[behaviours](+)
exten => {SLOWLY_CONGESTED},1,Wait(3)
 same => n,PJSIPHangup(503)
"""


def _account(secret: str) -> str:
    escaped = secret.replace(";", "\\;")
    return f"""
[{ACCOUNT}]
type = endpoint
context = from-pbx
disallow = all
allow = alaw
auth = {ACCOUNT}-auth
aors = {ACCOUNT}
[{ACCOUNT}-auth]
type = auth
auth_type = userpass
username = {ACCOUNT}
password = {escaped}
[{ACCOUNT}]
type = aor
max_contacts = 1
remove_existing = yes
"""


class CarrierWorld:
    """`lab`, and the password that its carrier wants."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._stock = (lab.world.asterisk.etc / "pjsip.conf").read_text()

    @property
    def port(self) -> int:
        """The carrier's SIP port."""
        return self.lab.world.asterisk.sip_port

    async def open(self) -> None:
        """Have the carrier know its account from now on."""
        self.write(SECRET)
        self.lab.world.asterisk.append("extensions.conf", _BEHAVIOUR)
        await self.lab.world.asterisk.restart()
        async with asyncio.timeout(PATIENCE):
            for phone in PHONES:
                await self.lab.world.register(phone)
        await self.lab.all_registered()

    def write(self, secret: str) -> None:
        """The account with that password, in the world's files."""
        by_name = self._stock.replace(
            "endpoint_identifier_order = ip,username", "endpoint_identifier_order = username,ip"
        )
        self.lab.world.asterisk.write("pjsip.conf", by_name + _account(secret))

    async def set_secret(self, secret: str) -> None:
        """The carrier wants another password."""
        self.write(secret)
        await self.lab.world.asterisk.console("module reload res_pjsip.so")


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Return once it is so; only a failing test waits long."""
    async with asyncio.timeout(2 * PATIENCE):
        while True:
            if await reached():
                return
            await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def carrier_world() -> Iterator[CarrierWorld]:
    """One for the tests of a module: each takes away the trunks it made."""

    loop = asyncio.new_event_loop()
    lab = Lab()
    try:
        loop.run_until_complete(lab.start())
        try:
            world = CarrierWorld(lab)
            loop.run_until_complete(world.open())
            yield world
        finally:
            loop.run_until_complete(lab.stop())
    finally:
        loop.close()


@pytest.fixture
async def trunk_floor(carrier_world: CarrierWorld, tmp_path: Path) -> AsyncIterator[Floor]:
    """A floor on the lab with a carrier that takes log-ins."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    async with furnished_floor(carrier_world.lab, tmp_path, free_port(), url) as opened:
        yield opened
        await carrier_world.lab.world.hangup_all()

        async def idle() -> bool:
            listed = await opened.expect(200, "GET", "/v1/trunks", user="admin")
            return all(trunk["live_calls"] == 0 for trunk in listed["items"])

        await until(idle)
        for trunk in (await opened.expect(200, "GET", "/v1/trunks", user="admin"))["items"]:
            if trunk["setup"]:
                await opened.expect(204, "DELETE", f"/v1/trunks/{trunk['name']}", user="admin")
