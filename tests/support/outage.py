"""A call of which nothing was heard for a while, and what its PBX knows of it meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from config import clock
from telephony.calls.call_tracker import add_leg
from telephony.calls.settlement import settle
from telephony.tables import calls
from tests.support.dial_core import PBX, DialCore

LEG = "1718000000.7"
"""The customer leg's Uniqueid."""


def moment(at: datetime) -> str:
    """As the dialplan writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Away:
    """A call that was placed `age` seconds ago, and of which nothing was heard since."""

    def __init__(self, core: DialCore) -> None:
        self.core = core
        self.id = ""
        self.now = clock.now().replace(microsecond=0)

    def at(self, seconds: int) -> datetime:
        """A moment before (negative) now."""
        return self.now + timedelta(seconds=seconds)

    async def call(self, state: str, age: int = 60, *, roles: tuple[str, ...] = ()) -> None:
        """Place it, in that state, with these legs known."""
        self.id = (await self.core.reserved()).id
        moments = {"created_at": self.at(-age)}
        if state in ("calling_customer", "connected"):
            moments["calling_customer_at"] = self.at(-age + 2)
        if state == "connected":
            moments["connected_at"] = self.at(-age + 9)
        async with self.core.database.write() as transaction:
            await transaction.execute(update(calls).where(calls.c.id == self.id).values(state=state, **moments))
            for role in roles:
                uniqueid = self.id if role == "agent" else LEG
                await add_leg(transaction, PBX, uniqueid, self.id, role, f"PJSIP/{role}-1", self.at(-age))

    def channel(self, role: str, state: str) -> None:
        """That leg is alive at the PBX."""
        uniqueid = self.id if role == "agent" else LEG
        channel = {"Channel": f"PJSIP/{role}-1", "Uniqueid": uniqueid, "Linkedid": self.id, "ChannelStateDesc": state}
        self.core.fake.channels.append(channel)

    def ended(self, role: str, at: int, **values: str) -> None:
        """The dialplan wrote down the end of that leg."""
        uniqueid = self.id if role == "agent" else LEG
        self.core.fake.mark(f"leg/{self.id}/{role}/{uniqueid}", ended=moment(self.at(at)), **values)

    async def settle(self) -> Any:
        """Settle; the call as it then stands."""
        await settle(self.core.database, self.core.pbx.tracker, self.core.pbx.link, self.now)
        return await self.core.call(self.id)
