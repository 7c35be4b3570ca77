"""What each collector is doing: ready, busy with a call, in wrap-up, or away. Calls move it, and people may.

`state` is what is so now, `chosen` what follows when a call and its wrap-up are over. A collector who is away may still
click: calling is an act of one's own, and afterwards the collector is away again. Only inbound calls ask who is ready.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Conflict, Forbidden, NotFound
from config.journal import Entry
from crm_bridge.people import scope
from crm_bridge.people.desk_tables import agent_states
from crm_bridge.people.users import User
from crm_bridge.tables import credentials, users
from crm_bridge.workers import Reaction
from telephony.tables import calls

AgentState = Literal["ready", "busy", "wrap_up", "away"]
LOGGED_OUT = "logged_out"
MAY_SET_OTHERS = frozenset({"supervisor", "admin", "crm"})
_WITH_PHONE = ("collector", "supervisor")


def _people(now: datetime, *conditions: ColumnElement[bool]) -> Select[Any]:
    """People who may hold a phone, each with the state kept, the newest open call, and whether they are logged in."""
    alive = or_(credentials.c.expires_at.is_(None), credentials.c.expires_at > now)
    logged_in = exists().where(credentials.c.user == users.c.name, credentials.c.revoked_at.is_(None), alive)
    newest = select(func.max(calls.c.id)).where(calls.c.current_agent == users.c.name, calls.c.ended_at.is_(None))
    kept = (column for column in agent_states.c if column.name not in ("agent", "call_id"))
    return (
        select(
            *(users.c.name, users.c.role, users.c.extension, users.c.team, users.c.active),
            *kept,
            logged_in.label("logged_in"),
            calls.c.id.label("open_call"),
            *(
                calls.c[name].label(f"call_{name}")
                for name in ("state", "direction", "case_id", "number", "created_at")
            ),
        )
        .select_from(users)
        .outerjoin(agent_states, agent_states.c.agent == users.c.name)
        .outerjoin(calls, calls.c.id == newest.correlate(users).scalar_subquery())
        .where(*conditions)
        .order_by(users.c.name)
    )


def _state(row: Row[Any]) -> tuple[AgentState, str | None]:
    """What is so now, and why. Nobody is ready who is not logged in; who never said anything is."""
    if row.open_call is not None:
        return "busy", None
    if row.state in (None, "ready"):
        return ("ready", row.reason) if row.logged_in else ("away", LOGGED_OUT)
    return row.state, row.reason


def _document(row: Row[Any], now: datetime) -> dict[str, Any]:
    state, reason = _state(row)
    since = row.since
    if row.open_call is not None and row.state != "busy":
        since = row.call_created_at
    fields = ("state", "direction", "case_id", "number")
    call = {"id": row.open_call} | {name: row._mapping[f"call_{name}"] for name in fields}
    return {
        "name": row.name,
        "extension": row.extension,
        "team": row.team,
        "state": state,
        "next": row.chosen or "ready",
        "reason": reason,
        "since": since,
        "seconds": max((now - since).total_seconds(), 0.0) if since is not None else None,
        "due_at": row.due_at if state == "wrap_up" else None,
        "call": call if row.open_call is not None else None,
        "available": _is_available(row),
    }


def _is_available(row: Row[Any]) -> bool:
    return bool(row.active and row.extension) and _state(row)[0] == "ready"


async def available_agents(connection: AsyncConnection, names: Iterable[str], now: datetime) -> list[str]:
    """Those of `names`, in their order, whom an inbound call may ring: ready, logged in, with a phone, on no call.

    Whether the phone itself is registered and free is the PBX's to say (`telephony.dialling.phones`).
    """
    wanted = list(dict.fromkeys(names))
    rows = await connection.execute(_people(now, users.c.name.in_(wanted)))
    free = {row.name for row in rows if _is_available(row)}
    return [name for name in wanted if name in free]


async def show(connection: AsyncConnection, name: str, user: User, now: datetime) -> dict[str, Any]:
    """One person's state, if it is the user's to see. Raises NotFound."""
    seen = users.c.name == user.name if user.role == "collector" else scope.agents_seen_by(user, users.c.name)
    row = (await connection.execute(_people(now, users.c.name == name, seen))).first()
    if row is None:
        raise NotFound(f"there is no user {name}")
    return _document(row, now)


async def listing(
    connection: AsyncConnection, user: User, now: datetime, *, after: str, limit: int
) -> list[dict[str, Any]]:
    """Every active collector of the user's team, and supervisors with a phone, by name."""
    with_phone = or_(users.c.role == "collector", and_(users.c.role.in_(_WITH_PHONE), users.c.extension.is_not(None)))
    seen = scope.agents_seen_by(user, users.c.name)
    rows = await connection.execute(_people(now, users.c.active, with_phone, seen, users.c.name > after).limit(limit))
    return [_document(row, now) for row in rows]


async def choose(
    transaction: Transaction,
    name: str,
    state: AgentState,
    reason: str | None,
    *,
    user: User,
    wrap_up_seconds: int,
    now: datetime,
) -> None:
    """Say what somebody does from now on, or after the call that is open. Raises Forbidden, NotFound, Conflict."""
    if name != user.name and user.role not in MAY_SET_OTHERS:
        raise Forbidden("you may set your own state only")
    await show(transaction.connection, name, user, now)
    await transaction.lock([f"agent-state:{name}"])
    row = (await transaction.all(_people(now, users.c.name == name)))[0]
    values: dict[str, Any] = {"reason": reason, "due_at": None, "chosen": row.chosen or "ready"}
    if state != "wrap_up":
        values["chosen"] = state
    elif row.open_call is not None:
        raise Conflict("wrap-up begins by itself when the call ends")
    elif wrap_up_seconds == 0:
        raise Conflict("wrap-up is switched off (desk.wrap_up_seconds)")
    else:
        values["due_at"] = now + timedelta(seconds=wrap_up_seconds)
    shown = "busy" if row.open_call is not None else state
    await _keep(transaction, name, now, user.name, state=shown, call_id=row.open_call, **values)


async def logged_in(transaction: Transaction, user: User, now: datetime) -> None:
    """Who was away because of a log-out is ready again."""
    known = await _known(transaction, user.name)
    if known is not None and known.reason == LOGGED_OUT:
        state = "busy" if known.state == "busy" else "ready"
        await _keep(transaction, user.name, now, user.name, state=state, chosen="ready", call_id=known.call_id)


async def logged_out(transaction: Transaction, user: User, now: datetime) -> None:
    """Who logs out is away, after the call and its wrap-up where there is one."""
    if user.role not in _WITH_PHONE:
        return
    known = await _known(transaction, user.name)
    goes_on = known is not None and known.call_id is not None
    values = {"state": known.state, "call_id": known.call_id, "due_at": known.due_at} if goes_on and known else {}
    kept = {"state": "away", "call_id": None, "due_at": None, **values}
    await _keep(transaction, user.name, now, user.name, chosen="away", reason=LOGGED_OUT, **kept)


async def end_wrap_ups(database: Database, now: datetime) -> int:
    """Take everybody whose wrap-up is due to what they chose: each claimed by one conditional UPDATE, once."""
    due = and_(agent_states.c.state == "wrap_up", agent_states.c.due_at <= now)
    async with database.read() as connection:
        if (await connection.execute(select(agent_states.c.agent).where(due).limit(1))).first() is None:
            return 0
    async with database.write() as transaction:
        over = {"state": agent_states.c.chosen, "since": now, "due_at": None, "call_id": None}
        claimed = await transaction.execute(update(agent_states).where(due).values(**over).returning(*agent_states.c))
        rows = claimed.all()
        for row in rows:
            _tell(transaction, row, "wrap_up", now, "system")
    return len(rows)


def reactions(wrap_up_seconds: int, now: Callable[[], datetime]) -> Mapping[str, Sequence[Reaction]]:
    """What calls and dispositions do to the states: the subscribers of a reader of the journal."""
    wrap_up = timedelta(seconds=wrap_up_seconds)

    async def moved(transaction: Transaction, entry: Entry) -> None:
        await _call_moved(transaction, entry, wrap_up, now())

    async def ended(transaction: Transaction, entry: Entry) -> None:
        await _call_ended(transaction, entry, wrap_up)

    return {
        "call.created": (moved,),
        "call.state": (moved,),
        "call.ended": (ended,),
        "note.final": (_disposition_saved,),
    }


async def _call_moved(transaction: Transaction, entry: Entry, wrap_up: timedelta, now: datetime) -> None:
    """Who speaks on an open call is busy; whoever had it before it was handed on writes down what was said."""
    speaker = entry.data.get("call", {}).get("current_agent", entry.agent)
    known = await _known(transaction, speaker)
    if known is not None and known.call_id == entry.call_id and known.state == "busy":
        return
    call = await transaction.first(select(calls).where(calls.c.id == entry.call_id))
    if call is None or call.current_agent != speaker or (call.ended_at is not None and call.ended_at < now - wrap_up):
        return
    for row in await _busy_with(transaction, entry.call_id):
        await _rest(transaction, row, entry, entry.at + wrap_up if wrap_up else None)
    if speaker and await transaction.first(select(users.c.name).where(users.c.name == speaker)) is not None:
        await _keep(transaction, speaker, entry.at, "system", state="busy", call_id=entry.call_id, due_at=None)


async def _call_ended(transaction: Transaction, entry: Entry, wrap_up: timedelta) -> None:
    known = await _busy_with(transaction, entry.call_id)
    if not known:
        return
    call = await transaction.first(select(calls).where(calls.c.id == entry.call_id))
    if call is None or call.ended_at is None:
        return
    to_write = bool(wrap_up) and call.outcome != "not_placed" and call.disposition is None
    for row in known:
        await _rest(transaction, row, entry, call.ended_at + wrap_up if to_write else None)


async def _busy_with(transaction: Transaction, call_id: str | None) -> list[Row[Any]]:
    mine = and_(agent_states.c.call_id == call_id, agent_states.c.state == "busy")
    return await transaction.all(select(agent_states).where(mine))


async def _rest(transaction: Transaction, row: Row[Any], entry: Entry, due_at: datetime | None) -> None:
    """What follows a call: the wrap-up until `due_at`, or without one at once what was chosen."""
    values: dict[str, Any] = {"state": row.chosen, "call_id": None, "due_at": None}
    if due_at is not None:
        values = {"state": "wrap_up", "call_id": entry.call_id, "due_at": due_at}
    await _keep(transaction, row.agent, entry.at, "system", **values)


async def _disposition_saved(transaction: Transaction, entry: Entry) -> None:
    if entry.call_id is None:
        return
    mine = and_(agent_states.c.state == "wrap_up", agent_states.c.call_id == entry.call_id)
    for row in await transaction.all(select(agent_states).where(mine)):
        await _keep(transaction, row.agent, entry.at, "system", state=row.chosen, call_id=None, due_at=None)


async def _known(transaction: Transaction, agent: str | None) -> Row[Any] | None:
    if not agent:
        return None
    return await transaction.first(select(agent_states).where(agent_states.c.agent == agent))


async def _keep(transaction: Transaction, agent: str, now: datetime, actor: str, **values: Any) -> None:
    """Write the state and journal it; `since` moves only when the state does."""
    known = await _known(transaction, agent)
    if known is None:
        first = {"state": "ready", "chosen": "ready", "reason": None, "call_id": None, "due_at": None, **values}
        await transaction.insert_once(agent_states, agent=agent, since=now, **first)
    moved = {"since": now} if known is not None and known.state != values["state"] else {}
    changed = update(agent_states).where(agent_states.c.agent == agent).values(**values, **moved)
    row = (await transaction.execute(changed.returning(*agent_states.c))).one()
    _tell(transaction, row, known.state if known is not None else None, now, actor)


def _tell(transaction: Transaction, row: Row[Any], before: str | None, now: datetime, actor: str) -> None:
    data = {
        "state": row.state,
        "from": before,
        "next": row.chosen,
        "reason": row.reason,
        "since": row.since.isoformat(),
        "due_at": row.due_at.isoformat() if row.due_at else None,
    }
    transaction.journal(Entry(now, "agent.state", actor, agent=row.agent, call_id=row.call_id, data=data))
