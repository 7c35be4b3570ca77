"""The lab: a PBX and the world around it, started together, gone together."""

import asyncio
import re
import secrets
import time
from types import TracebackType
from typing import Self

from crm_bridge.demo.asterisk_root import Progress, ensure_root
from crm_bridge.demo.behaviours import PHONES
from crm_bridge.demo.instance import AsteriskInstance, InstanceFailed
from crm_bridge.demo.pbx import CARRIERS, stock_pbx
from crm_bridge.demo.world import World

REGISTER_SECONDS = 60.0
REGISTER_AGAIN = 3.0


def _silent(_: str) -> None:
    """Progress for those who do not watch."""


class Lab:
    """`async with Lab() as lab`: a PBX (`lab.pbx`) whose phones are registered and whose carriers answer (`lab.world`).

    Several may run at once. Not bound to an event loop: what one loop started another may use.
    """

    pbx: AsteriskInstance
    world: World

    def __init__(self, progress: Progress = _silent) -> None:
        self._progress = progress

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Build the root if need be, start both, and return once every phone can be reached."""
        started = time.monotonic()
        root = await asyncio.to_thread(ensure_root, self._progress)
        phone_secret = secrets.token_urlsafe(12)
        self.world = World(root, phone_secret=phone_secret)
        try:
            self.pbx = stock_pbx(root, carrier_port=self.world.asterisk.sip_port, phone_secret=phone_secret)
            try:
                self.world.face(self.pbx.sip_port)
                # The world first: a carrier that does not answer the PBX's first question counts as gone for a minute.
                await self.world.asterisk.start()
                await self.pbx.start()
                await self._register_all()
            except BaseException:
                await self.pbx.close()
                raise
        except BaseException:
            await self.world.asterisk.close()
            raise
        self._progress(f"PBX and world are up, {len(PHONES)} phones registered ({time.monotonic() - started:.1f} s)")

    async def stop(self) -> None:
        """End both and give up their folders and ports."""
        await asyncio.gather(self.pbx.close(), self.world.asterisk.close())

    async def restart_pbx(self) -> None:
        """Stop (or bury) the PBX, end what the world still thinks is up, start it again, wait for the phones."""
        await self.pbx.stop()
        await self.world.hangup_all()
        await self.pbx.start()
        await self._register_all()

    async def _register_all(self) -> None:
        await asyncio.gather(*(self.world.register(phone) for phone in PHONES))
        await self.all_registered()

    async def registered(self) -> set[str]:
        """The phones that have a contact the PBX can reach, and the carriers likewise."""
        listed = await self.pbx.console("pjsip show contacts")
        return {
            name
            for name, status in re.findall(r"Contact:\s+(\S+?)(?:-aor)?/sip:\S+\s+\S+\s+(\w+)", listed)
            if status == "Avail"
        }

    async def all_registered(self) -> None:
        """Return once every phone and carrier can be reached. Raises InstanceFailed."""
        wanted = {*PHONES, *CARRIERS}
        deadline = time.monotonic() + REGISTER_SECONDS
        again = time.monotonic() + REGISTER_AGAIN
        while missing := wanted - await self.registered():
            if time.monotonic() > again:
                # A registration that came while the PBX was still starting is repeated by the phone only much later.
                again += REGISTER_AGAIN
                await asyncio.gather(*(self.world.register(phone) for phone in missing.intersection(PHONES)))
            if time.monotonic() > deadline:
                raise InstanceFailed(f"not registered after {REGISTER_SECONDS:.0f} s: {', '.join(sorted(missing))}")
            for name in missing:
                # A carrier or phone that did not answer when the PBX first asked is asked again only after a minute.
                await self.pbx.console(f"pjsip qualify {name}")
            await asyncio.sleep(0.1)
