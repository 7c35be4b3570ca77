"""How long each kind of thing may take, who is told when it took longer: shipped values, and each client's own as data."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from config.journal import Entry
from crm_bridge.clocks.tables import deadline_rules
from crm_bridge.clocks.working_time import Unit, WorkingTime
from crm_bridge.people import scope
from crm_bridge.people.users import User

OwnerRole = Literal["collector", "qa", "supervisor", "manager", "company"]
"""`manager`: supervisors without a team, `company`: admins. A role that nobody has falls to the next."""
EVERY_CLIENT = ""
LONGEST = 60 * 24 * 366


class Rule(BaseModel):
    """One kind's rule. `escalate` lists who is told once it is missed, `every_minutes` apart."""

    model_config = ConfigDict(extra="forbid")

    within: int = Field(ge=0, le=LONGEST, description="how many of `unit`")
    unit: Unit = "minutes"
    warn_minutes: int = Field(0, ge=0, le=LONGEST, description="wall-clock minutes before it is due; 0: no warning")
    owner: OwnerRole = "supervisor"
    escalate: Annotated[list[OwnerRole], Field(max_length=8)] = []
    every_minutes: int = Field(60, ge=1, le=LONGEST)
    mail: bool = False
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Due:
    """When something is due, and when its warning is (None: no warning)."""

    due_at: datetime
    warn_at: datetime | None


def due_of(within: int, unit: Unit, warn_minutes: int, start: datetime, calendar: WorkingTime) -> Due:
    """The times of something that begins at `start`; a warning that would come before it began is left out."""
    due_at = calendar.due(start, within, unit)
    return Due(due_at, warning(due_at, warn_minutes, start))


def warning(due_at: datetime, warn_minutes: int, start: datetime) -> datetime | None:
    """When to warn, None without a warning or when that were before `start`."""
    warn_at = due_at - timedelta(minutes=warn_minutes)
    return warn_at if warn_minutes and warn_at > start else None


@cache
def shipped() -> dict[str, Rule]:
    """The rules as shipped, by kind."""
    text = files("crm_bridge.clocks").joinpath("deadline_rules.toml").read_text("utf-8")
    return {kind: Rule.model_validate(values) for kind, values in tomllib.loads(text).items()}


async def rule_of(connection: AsyncConnection, kind: str, client: str | None) -> Rule:
    """What holds for a client: its own rule, else everybody's, else the shipped one. Raises NotFound: no such kind."""
    return (await rules_of(connection, kind, [client]))[client]


async def rules_of(connection: AsyncConnection, kind: str, clients: Iterable[str | None]) -> dict[str | None, Rule]:
    """The rule of each of these clients, read at once. Raises NotFound: no such kind."""
    if kind not in shipped():
        raise NotFound(f"there is no kind of deadline {kind}")
    wanted = set(clients)
    names = [EVERY_CLIENT, *(client for client in wanted if client)]
    statement = select(deadline_rules).where(deadline_rules.c.kind == kind, deadline_rules.c.client.in_(names))
    saved = {row.client: Rule.model_validate(row.rule) for row in await connection.execute(statement)}
    general = saved.get(EVERY_CLIENT, shipped()[kind])
    return {client: saved.get(client or EVERY_CLIENT, general) for client in wanted}


async def saved_rules(connection: AsyncConnection, user: User) -> dict[tuple[str, str], Rule]:
    """The rules that were set, by (kind, client), of everybody and of the clients the user may see."""
    column = deadline_rules.c.client
    statement = select(deadline_rules).where((column == EVERY_CLIENT) | scope.clients_seen_by(user, column))
    return {(row.kind, row.client): Rule.model_validate(row.rule) for row in await connection.execute(statement)}


async def put(
    transaction: Transaction, kind: str, client: str, rule: Rule, *, reason: str = "", user: User, now: datetime
) -> None:
    """Set a rule for what begins from now on. Raises NotFound (no such kind), Forbidden."""
    if kind not in shipped():
        raise NotFound(f"there is no kind of deadline {kind}")
    if client or user.clients:
        scope.require_client(user, client)
    await transaction.lock([f"deadline-rule:{kind}:{client}"])
    before = await rule_of(transaction.connection, kind, client or None)
    values = {"rule": rule.model_dump(mode="json"), "updated_at": now, "updated_by": user.name}
    mine = (deadline_rules.c.kind == kind) & (deadline_rules.c.client == client)
    changed = await transaction.execute(update(deadline_rules).where(mine).values(**values))
    if not changed.rowcount:
        await transaction.execute(insert(deadline_rules).values(kind=kind, client=client, **values))
    data = {"deadline": kind, "before": before.model_dump(mode="json"), "after": values["rule"], "reason": reason}
    transaction.journal(Entry(now, "deadline.rule_changed", user.name, client or None, data=data))
