"""A supervisor on a live call: hears both ends (listen), or speaks to the collector alone as well (whisper).

The supervisor's own phone is rung and, once answered, spies on the collector's leg: an inside leg, which the outside party never
hears. The row is written before the Originate goes out; its id makes the Uniqueid of that leg, and `look` follows it to its end.
https://docs.asterisk.org/Latest_API/API_Documentation/Dialplan_Applications/ChanSpy/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.database import Database, Transaction
from config.errors import Conflict, Invalid, NotFound
from config.identifiers import new_id
from config.settings import AutoAnswer
from telephony.ami import AmiLink, AnswerUnknown, PbxUnavailable
from telephony.calls import call_records
from telephony.calls.call_states import State
from telephony.dialling.auto_answer import VARIABLES
from telephony.dialling.phones import AgentBusy
from telephony.live.controls import redirect
from telephony.live.live_legs import Leg, live_legs
from telephony.live.tables import listenings
from telephony.pbx import Pbx

log = structlog.get_logger(__name__)

Mode = Literal["listen", "whisper"]
CONTEXT = "ringfence-listen"
APPEARS = timedelta(seconds=5)
"""So long an Originate that was taken may need until its channel is there."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens, and on which phone."""

    name: str
    pbx: str
    extension: str
    auto_answer: AutoAnswer = "none"


def channel_of(row: Row[Any]) -> str:
    """The Uniqueid of the listener's leg: not a call's, so that nobody takes it for the collector's leg of one."""
    return f"listen-{row.id}"


async def open_listenings(connection: AsyncConnection, call_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Who listens in on these calls now, by call."""
    mine = select(listenings).where(listenings.c.call_id.in_(call_ids), listenings.c.ended_at.is_(None))
    found: dict[str, list[Row[Any]]] = {}
    for row in await connection.execute(mine.order_by(listenings.c.id)):
        found.setdefault(row.call_id, []).append(row)
    return found


async def listenings_of(connection: AsyncConnection, call_id: str) -> list[Row[Any]]:
    """Everybody who listened in on a call, from first to last."""
    mine = select(listenings).where(listenings.c.call_id == call_id).order_by(listenings.c.id)
    return list((await connection.execute(mine)).all())


@dataclass(frozen=True, slots=True)
class Listening:
    """Lets people listen in on the calls of these PBXs."""

    database: Database
    pbxs: Mapping[str, Pbx]
    ring_seconds: int

    async def start(self, call_id: str, who: Listener, mode: Mode, reason: str | None) -> tuple[Row[Any], bool]:
        """Ring the listener's phone; the row, and whether it is new. One who listens already goes over to `mode`.

        Raises NotFound, Conflict when nobody of ours speaks on the call now or it is on another PBX, AgentBusy and
        AgentUnavailable about the listener's phone, PbxUnavailable.
        """
        async with self.database.read() as connection:
            call, leg = await _spied(connection, call_id, who)
            before = await _open_of(connection, who.name)
        pbx = self.pbxs[who.pbx]
        pbx.require_up()
        if before is not None and before.call_id == call_id:
            return await self._switch(before, call, mode), False
        if before is not None:
            raise AgentBusy("you listen to another call; hang up first", call_id=before.call_id)
        pbx.phones.require_free(who.extension)
        row = await self._write(call, who, mode, reason)
        variables = {"RINGFENCE_LISTEN": channel_of(row), "RINGFENCE_SPIED": leg.name, **VARIABLES[who.auto_answer]}
        try:
            answer = await pbx.link.originate(
                channel_id=channel_of(row),
                endpoint=f"PJSIP/{who.extension}",
                context=CONTEXT,
                extension=mode,
                variables=variables,
                caller_id=_extension_of(leg),
                timeout_s=self.ring_seconds,
            )
        except AnswerUnknown:
            return row, True  # `look` sees whether there is such a leg
        except (PbxUnavailable, Invalid):
            await self._end(row, clock.now())
            raise
        if not answer.ok:
            await self._end(row, clock.now())
            raise PbxUnavailable(f"the telephone system refused to ring your phone: {answer.message}")
        return row, True

    async def stop(self, call_id: str, name: str) -> None:
        """Hang up the listener's leg; nothing happens where there is none. Raises PbxUnavailable."""
        async with self.database.read() as connection:
            row = await _open_of(connection, name)
        if row is None or row.call_id != call_id or row.pbx not in self.pbxs:
            return
        await self.pbxs[row.pbx].link.send("Hangup", {"Channel": channel_of(row), "Cause": "16"})

    async def look(self, now: datetime) -> None:
        """Follow every leg that listens: answered, gone, or left behind by a call that has ended."""
        async with self.database.read() as connection:
            rows = (await connection.execute(select(listenings).where(listenings.c.ended_at.is_(None)))).all()
        for row in rows:
            pbx = self.pbxs.get(row.pbx)
            if pbx is None:  # taken out of the settings: nobody will ever see that leg again
                await self._end(row, now)
                continue
            if not pbx.lease.held or not pbx.ready:
                continue
            try:
                await self._follow(pbx.link, row, now)
            except (PbxUnavailable, AnswerUnknown) as error:
                log.warning("listening.look_failed", listening=row.id, detail=error.detail)

    async def _follow(self, link: AmiLink, row: Row[Any], now: datetime) -> None:
        seen = await link.send("Getvar", {"Channel": channel_of(row), "Variable": "RINGFENCE_LISTENING"})
        if not seen.ok:
            if "No such channel" in seen.message and now - row.asked_at > APPEARS:
                await self._end(row, now)
            return
        if seen.fields.get("Value") and row.began_at is None:
            async with self.database.write() as transaction:
                if await _set(transaction, row.id, listenings.c.began_at, began_at=now):
                    await _journal(transaction, "call.listen_began", row, now, "system", {"mode": row.mode})
        async with self.database.read() as connection:
            call = await call_records.find(connection, row.call_id)
        if call is None or call.ended_at is not None:
            await link.send("Hangup", {"Channel": channel_of(row), "Cause": "16"})

    async def _write(self, call: Row[Any], who: Listener, mode: Mode, reason: str | None) -> Row[Any]:
        now = clock.now()
        async with self.database.write() as transaction:
            await transaction.lock([f"agent:{who.name}", f"phone:{who.pbx}/{who.extension}"])
            connection = transaction.connection
            busy = await call_records.open_call_of(connection, who.name, who.pbx, who.extension)
            if busy is not None:
                raise AgentBusy("you are on a call; finish it first", call_id=busy.id)
            if await _open_of(connection, who.name) is not None:
                raise AgentBusy("you listen to a call already; hang up first")
            values = {
                "id": new_id(now), "call_id": call.id, "pbx": who.pbx, "listener": who.name, "extension": who.extension,
                "mode": mode, "reason": reason, "asked_at": now,
            }  # fmt: skip
            row = (await transaction.execute(insert(listenings).values(**values).returning(*listenings.c))).one()
            await _journal(transaction, "call.listened", row, now, who.name, {"mode": mode, "reason": reason})
            return row

    async def _switch(self, row: Row[Any], call: Row[Any], mode: Mode) -> Row[Any]:
        if row.mode == mode:
            return row
        if row.began_at is None:
            raise Conflict("your phone still rings: answer it first", call_id=call.id)
        await redirect(self.pbxs[row.pbx].link, Leg(channel_of(row), channel_of(row)), (CONTEXT, mode))
        now = clock.now()
        async with self.database.write() as transaction:
            changed = await _set(transaction, row.id, listenings.c.ended_at, mode=mode)
            if changed is None:
                raise Conflict("your phone has hung up", call_id=call.id)
            data = {"mode": mode, "was": row.mode}
            await _journal(transaction, "call.listen_mode", changed, now, row.listener, data)
            return changed

    async def _end(self, row: Row[Any], now: datetime) -> None:
        async with self.database.write() as transaction:
            ended = await _set(transaction, row.id, listenings.c.ended_at, ended_at=now)
            if ended is None:
                return
            seconds = round((now - ended.began_at).total_seconds(), 1) if ended.began_at else 0.0
            data = {"mode": ended.mode, "heard": ended.began_at is not None, "seconds": seconds}
            await _journal(transaction, "call.listen_ended", ended, now, "system", data)


async def _spied(connection: AsyncConnection, call_id: str, who: Listener) -> tuple[Row[Any], Leg]:
    """The call and the leg of ours that speaks on it now."""
    call = await call_records.find(connection, call_id)
    if call is None:
        raise NotFound(f"there is no call {call_id}")
    if call.state not in (State.CONNECTED, State.HELD):
        raise Conflict(f"the call is {call.state}; only one that talks can be listened to", state=call.state)
    if call.pbx != who.pbx:
        raise Conflict(f"the call is on PBX {call.pbx}, your phone on {who.pbx}", state=call.state)
    leg = (await live_legs(connection, call_id)).agent
    if leg is None:
        raise Conflict("nobody of ours speaks on this call", state=call.state)
    if who.name in (call.agent, call.current_agent) or _extension_of(leg) == who.extension:
        raise Conflict("this is your own call", state=call.state)
    return call, leg


def _extension_of(leg: Leg) -> str:
    """The phone of a channel PJSIP/1001-0000001a; empty for another kind of channel."""
    technology, _, rest = leg.name.partition("/")
    return rest.rpartition("-")[0] if technology == "PJSIP" else ""


async def _open_of(connection: AsyncConnection, name: str) -> Row[Any] | None:
    mine = select(listenings).where(listenings.c.listener == name, listenings.c.ended_at.is_(None))
    return (await connection.execute(mine)).first()


async def _set(transaction: Transaction, listening: str, while_null: Any, **values: Any) -> Row[Any] | None:
    """Change the row as long as that column is null; None when it is not any more."""
    mine = update(listenings).where(listenings.c.id == listening, while_null.is_(None)).values(**values)
    return await transaction.first(mine.returning(*listenings.c))


async def _journal(
    transaction: Transaction, kind: str, row: Row[Any], now: datetime, actor: str, data: Mapping[str, Any]
) -> None:
    call = await call_records.find(transaction.connection, row.call_id)
    if call is not None:
        told = call_records.entry(kind, call, now, actor)
        listening = {"listening_id": row.id, "listener": row.listener, "extension": row.extension}
        transaction.journal(replace(told, data={**listening, **data}))
