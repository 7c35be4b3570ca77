"""The legs of a living call as commands need them: which channel is the outside party's, which one speaks for our side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.identifiers import PATTERN
from telephony.ami import AmiLink, AnswerUnknown, PbxUnavailable
from telephony.calls import call_records
from telephony.live.conversations import Stranger
from telephony.tables import legs

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Leg:
    """A living, answered leg: `name` is the channel's, by which Asterisk's applications find it."""

    uniqueid: str
    name: str


@dataclass(frozen=True, slots=True)
class LiveLegs:
    """The answered legs of a call that live, oldest first: of two agent legs the younger one is being consulted."""

    agents: tuple[Leg, ...]
    customers: tuple[Leg, ...]

    @property
    def agent(self) -> Leg | None:
        """The leg that speaks for our side."""
        return self.agents[0] if self.agents else None

    @property
    def customer(self) -> Leg | None:
        """The outside party's leg."""
        return self.customers[0] if self.customers else None

    @property
    def all(self) -> tuple[Leg, ...]:
        """Every one of them."""
        return (*self.agents, *self.customers)


async def live_legs(connection: AsyncConnection, call_id: str) -> LiveLegs:
    """The legs of that call as the books have them, without one that gave it away and hears the last tone of it."""
    call = await call_records.find(connection, call_id)
    transfer = (call.transfer if call is not None else None) or {}
    gave = transfer.get("leg") if transfer.get("state") == "done" else None
    known = [
        leg
        for leg in await call_records.legs_of(connection, call_id)
        if leg.answered_at and not leg.ended_at and leg.uniqueid != gave
    ]
    return LiveLegs(_of(known, "agent"), _of(known, "customer"))


def _of(known: Sequence[Row[Any]], role: str) -> tuple[Leg, ...]:
    return tuple(Leg(leg.uniqueid, leg.channel or leg.uniqueid) for leg in known if leg.role == role)


async def adopt(link: AmiLink, stranger: Stranger, spool: str) -> None:
    """Record a channel that joined a conversation of ours by itself, and let it say whose it is; a refusal is logged.

    Its recording begins where it joined; what it said before was no call of ours.
    """
    key = f"{stranger.call_id}/agent/{stranger.uniqueid}"
    file = f"{spool}/{stranger.call_id}.agent.{stranger.uniqueid}.raw"
    try:
        await link.send("MixMonitor", {"Channel": stranger.channel, "File": file, "Options": "D"})
        for name, value in (
            ("__RINGFENCE_CALL", stranger.call_id),
            ("RINGFENCE_ROLE", "agent"),
            ("RINGFENCE_KEY", key),
        ):
            await link.send("Setvar", {"Channel": stranger.channel, "Variable": name, "Value": value})
    except (PbxUnavailable, AnswerUnknown) as error:
        log.warning("live_legs.adopt_failed", call_id=stranger.call_id, channel=stranger.channel, detail=error.detail)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose leg a channel says it is."""

    call_id: str
    role: str


async def unknown_channels(
    connection: AsyncConnection, pbx: str, channels: Mapping[str, Mapping[str, str]]
) -> list[Mapping[str, str]]:
    """Those of the living channels (by Uniqueid) that share a Linkedid with an open call of that PBX, and are no known leg."""
    open_ids = {call.uniqueid for call in await call_records.open_calls(connection, pbx)}
    near = {uniqueid: channel for uniqueid, channel in channels.items() if channel.get("Linkedid") in open_ids}
    known = select(legs.c.uniqueid).where(legs.c.pbx == pbx, legs.c.uniqueid.in_(near))
    heard_of = set(await connection.scalars(known)) if near else set()
    return [channel for uniqueid, channel in near.items() if uniqueid not in heard_of]


async def ask_whose(link: AmiLink, channels: Iterable[Mapping[str, str]]) -> dict[str, Owner]:
    """By Uniqueid, what context ringfence-leg wrote on these channels; one that was never told is left out."""
    found = {}
    for channel in channels:
        fields = {"Channel": channel["Uniqueid"], "Variable": "RINGFENCE_KEY"}
        key = (await link.send("Getvar", fields)).fields.get("Value", "")
        call_id, _, rest = key.partition("/")
        role = rest.partition("/")[0]
        if PATTERN.fullmatch(call_id) and role in ("agent", "customer"):
            found[channel["Uniqueid"]] = Owner(call_id, role)
    return found
