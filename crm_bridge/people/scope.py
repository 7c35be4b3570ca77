"""The one place that says whose work a user may see: by client for everyone, by team for collectors and supervisors.

What a user may not see does not exist for that user: it answers `not-found`, never `forbidden`.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Forbidden
from config.journal import Entry, journal
from crm_bridge.people.users import User
from crm_bridge.tables import cases, users
from telephony.tables import calls

TEAM_ROLES = frozenset({"collector", "supervisor"})
PLANT = frozenset({"pbx.state", "trunk.state"})
UNTOLD = "call.listen"
"""So begins what collectors are not told: that somebody listens in on them."""


def _team_of(user: User) -> str | None:
    return user.team if user.role in TEAM_ROLES else None


def clients_seen_by(user: User, column: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Rows of the user's clients; a user without a list sees every client, also rows that name none."""
    return column.in_(user.clients) if user.clients else true()


def shared_seen_by(user: User, column: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Rows of the user's clients, and those that name none because they are everybody's."""
    return or_(column.is_(None), clients_seen_by(user, column))


def agents_seen_by(user: User, column: ColumnElement[str | None]) -> ColumnElement[bool]:
    """Rows of the user's own team, where the role is bound to one."""
    team = _team_of(user)
    return column.in_(select(users.c.name).where(users.c.team == team)) if team is not None else true()


def cases_seen_by(user: User) -> ColumnElement[bool]:
    """Condition on `cases`: the user's clients, and a collector of the user's team or none yet."""
    nobody = cases.c.collector.is_(None)
    return and_(clients_seen_by(user, cases.c.client), or_(nobody, agents_seen_by(user, cases.c.collector)))


def calls_seen_by(user: User) -> ColumnElement[bool]:
    """Condition on `calls`: one's own, those of one's team, and those on the cases one may see.

    A call is of who started it and of who has it now or had it last: it may have been handed on, or come from outside.
    """
    on_my_cases = calls.c.case_id.in_(select(cases.c.id).where(cases_seen_by(user)))
    clients = clients_seen_by(user, calls.c.client)
    if user.role == "collector":
        return or_(own_calls(user), and_(clients, on_my_cases))
    of_my_people = or_(agents_seen_by(user, calls.c.agent), agents_seen_by(user, calls.c.current_agent))
    return or_(own_calls(user), and_(clients, or_(of_my_people, on_my_cases)))


def own_calls(user: User) -> ColumnElement[bool]:
    """Condition on `calls`: those the user started, and those the user has now or had last."""
    return or_(calls.c.agent == user.name, calls.c.current_agent == user.name)


def journal_seen_by(user: User) -> ColumnElement[bool]:
    """Condition on the journal for those who read it all: the user's clients, and for a supervisor the team's."""
    if user.clients:
        return and_(journal.c.client.in_(user.clients), _team_entries(user))
    return _team_entries(user)


def _team_entries(user: User) -> ColumnElement[bool]:
    if _team_of(user) is None:
        return true()
    theirs = or_(agents_seen_by(user, journal.c.agent), agents_seen_by(user, journal.c.actor))
    return or_(theirs, journal.c.case_id.in_(select(cases.c.id).where(cases_seen_by(user))))


async def team_members(connection: AsyncConnection, user: User) -> frozenset[str] | None:
    """The names of the user's team, None for a user whose role is not bound to one; for `entry_seen_by`."""
    team = _team_of(user)
    if team is None:
        return None
    return frozenset(await connection.scalars(select(users.c.name).where(users.c.team == team)))


def entry_seen_by(user: User, team: Collection[str] | None, entry: Entry) -> bool:
    """Whether a live event is this user's: a collector's own, a supervisor's team's, everyone else's by client.

    That a PBX or a trunk went or came back concerns everybody; what a collector is doing is about no client.
    """
    if entry.kind in PLANT:
        return True
    if user.role == "collector":
        theirs = user.name in (entry.agent, entry.actor, *_hands(entry))
        return theirs and not entry.kind.startswith(UNTOLD)
    if user.clients and entry.client not in user.clients and entry.kind != "agent.state":
        return False
    return team is None or entry.agent is None or entry.agent in team


def _hands(entry: Entry) -> list[str | None]:
    """Through whose hands the call goes that an entry is about: who has it now, and who gave it away or gets it."""
    call = entry.data.get("call") if isinstance(entry.data, dict) else None
    call = call if isinstance(call, dict) else {}
    transfer = call.get("transfer") or {}
    return [call.get("current_agent"), transfer.get("by"), *(transfer.get("targets") or {}).values()]


def require_client(user: User, client: str) -> None:
    """Refuse to write for a client that is not the user's. Raises Forbidden."""
    if user.clients and client not in user.clients:
        raise Forbidden(f"client {client} is not one of yours")
