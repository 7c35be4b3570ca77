"""Who is told: the people of a role for a client and a team, and who stands in when somebody has left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.tables import users

WORDS = {"collector": "催收员", "qa": "质检", "supervisor": "催收主管", "manager": "经理", "company": "公司"}
"""The roles in Chinese, as the pages call them."""
NEXT = {"collector": "supervisor", "qa": "supervisor", "supervisor": "manager", "manager": "company"}


@dataclass(frozen=True, slots=True)
class Told:
    """Names, and a sentence (in English and in Chinese) where they are not those who were meant."""

    people: tuple[str, ...]
    note: str = ""
    note_zh: str = ""

    @property
    def notes(self) -> dict[str, str]:
        """The sentence as the journal keeps it."""
        return {"note": self.note, "note_zh": self.note_zh}

    def beside(self, other: "Told") -> "Told":
        """These and the others together, each once."""
        people = tuple(dict.fromkeys((*self.people, *other.people)))
        note, note_zh = _joined(self.note, other.note), _joined(self.note_zh, other.note_zh, "；")
        return Told(people, note, note_zh)


class Roster:
    """Everybody who may be told, as of one moment."""

    def __init__(self, rows: Iterable[Row[Any]]) -> None:
        self._people = {row.name: row for row in rows}

    def is_here(self, name: str) -> bool:
        """Whether that is an active user."""
        row = self._people.get(name)
        return row is not None and row.active

    def team_of(self, name: str | None) -> str | None:
        """The team of a user, also of one who has left."""
        row = self._people.get(name or "")
        return row.team if row is not None else None

    def role(self, role: str, client: str | None, team: str | None) -> Told:
        """The people of a role, else those of the next one up; a team's supervisors before those without a team."""
        meant: str | None = role
        while meant is not None:
            if found := self._of(meant, client, team):
                if meant == role:
                    return Told(found)
                return Told(found, f"nobody is {role}: told {meant}", f"没有{WORDS[role]}，已通知{WORDS[meant]}")
            meant = NEXT.get(meant)
        return Told((), f"nobody is {role}, and there is no admin", f"没有{WORDS[role]}，也没有管理员")

    def named(self, names: Sequence[str], role: str, client: str | None, team: str | None) -> Told:
        """Those of `names` who are still here; if none is, the role's others, and that is said."""
        here = tuple(name for name in names if self.is_here(name))
        gone = [name for name in names if not self.is_here(name)]
        if here or not names:
            told = Told(here) if here else self.role(role, client, team)
        else:
            told = self.role(NEXT[role] if role == "collector" else role, client, team)
        if not gone:
            return told
        left = (
            f"{', '.join(gone)} {'has' if len(gone) == 1 else 'have'} left: told {', '.join(told.people) or 'nobody'}"
        )
        left_zh = f"{'、'.join(gone)} 已离职，已通知 {'、'.join(told.people) or '（无人）'}"
        return Told(told.people, _joined(left, told.note), _joined(left_zh, told.note_zh, "；"))

    def _of(self, role: str, client: str | None, team: str | None) -> tuple[str, ...]:
        return tuple(sorted(name for name, row in self._people.items() if _serves(row, role, client, team)))


def _joined(one: str, other: str, between: str = "; ") -> str:
    return between.join(dict.fromkeys(filter(None, (one, other))))


def _serves(row: Row[Any], role: str, client: str | None, team: str | None) -> bool:
    if not row.active or (client is not None and row.clients and client not in row.clients):
        return False
    if role == "company":
        return bool(row.role == "admin")
    if role == "manager":
        return row.role == "supervisor" and row.team is None
    if role == "supervisor":
        return row.role == "supervisor" and row.team is not None and (team is None or row.team == team)
    return role == "qa" and row.role == "qa"


async def roster(connection: AsyncConnection, names: Iterable[str] = ()) -> Roster:
    """Supervisors, QA and admins, and the people of these names."""
    wanted = users.c.role.in_(("supervisor", "admin", "qa")) | users.c.name.in_(list(names))
    columns = (users.c.name, users.c.role, users.c.team, users.c.clients, users.c.active)
    statement: Select[Any] = select(*columns).where(wanted)
    return Roster((await connection.execute(statement)).all())
