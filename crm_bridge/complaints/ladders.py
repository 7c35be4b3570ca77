"""The ladder a complaint goes up (S60, S62, S63, S66): steps with a role and a time, per client and severity, as data."""

import tomllib
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.journal import Entry
from crm_bridge.clocks.deadline_rules import EVERY_CLIENT, LONGEST, OwnerRole
from crm_bridge.clocks.tables import complaint_ladders
from crm_bridge.clocks.working_time import Unit
from crm_bridge.people import scope
from crm_bridge.people.users import NAME, User

Severity = Literal["general", "serious", "major"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
NOTE = "note"
"""What is said without completing a step."""
RESERVED = frozenset({NOTE, "answer", "ruling", "closed"})


class Within(BaseModel):
    """A time from the opening on, and how many wall-clock minutes before its end to warn (0: no warning)."""

    model_config = ConfigDict(extra="forbid")

    within: int = Field(ge=1, le=LONGEST)
    unit: Unit = "minutes"
    warn_minutes: int = Field(0, ge=0, le=LONGEST)


class Step(Within):
    """One step: whose it is. `people` name those it goes to instead of everyone of the role."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    role: OwnerRole
    people: Annotated[list[Annotated[str, Field(pattern=NAME)]], Field(max_length=20)] = []


class Ladder(BaseModel):
    """The time for the whole answer, and the steps on the way."""

    model_config = ConfigDict(extra="forbid")

    answer: Within
    steps: Annotated[list[Step], Field(min_length=1, max_length=12)]
    repeat_minutes: int = Field(
        60, ge=5, le=LONGEST, description="after the last step's time the company is told so often"
    )

    @model_validator(mode="after")
    def _distinct_steps(self) -> "Ladder":
        names = [step.name for step in self.steps]
        if len(names) != len(set(names)):
            raise ValueError("every step needs a name of its own")
        if RESERVED & set(names):
            raise ValueError(f"a step must not be called {', '.join(sorted(RESERVED & set(names)))}")
        return self

    @property
    def names(self) -> list[str]:
        """The steps in order."""
        return [step.name for step in self.steps]

    def step(self, name: str) -> Step:
        """The step of that name; `KeyError` when there is none."""
        return {step.name: step for step in self.steps}[name]


@cache
def shipped() -> dict[str, Ladder]:
    """The ladders as shipped, by severity."""
    text = files("crm_bridge.complaints").joinpath("ladders.toml").read_text("utf-8")
    return {severity: Ladder.model_validate(values) for severity, values in tomllib.loads(text).items()}


async def ladder_of(connection: AsyncConnection, client: str, severity: str) -> Ladder:
    """What holds for a client: its own, else everybody's, else the shipped one."""
    wanted = complaint_ladders.c.client.in_([client, EVERY_CLIENT]) & (complaint_ladders.c.severity == severity)
    # The client's own sorts after the empty name.
    newest = select(complaint_ladders.c.ladder).where(wanted).order_by(complaint_ladders.c.client.desc()).limit(1)
    saved = await connection.scalar(newest)
    return Ladder.model_validate(saved) if saved is not None else shipped()[severity]


async def saved_ladders(connection: AsyncConnection, user: User) -> dict[tuple[str, str], Ladder]:
    """The ladders that were set, by (severity, client), of everybody and of the clients the user may see."""
    column = complaint_ladders.c.client
    statement = select(complaint_ladders).where((column == EVERY_CLIENT) | scope.clients_seen_by(user, column))
    return {
        (row.severity, row.client): Ladder.model_validate(row.ladder) for row in await connection.execute(statement)
    }


async def put(
    transaction: Transaction,
    severity: Severity,
    client: str,
    ladder: Ladder,
    *,
    reason: str = "",
    user: User,
    now: datetime,
) -> None:
    """Set a ladder for complaints opened from now on; those open keep theirs. Raises Forbidden."""
    if client or user.clients:
        scope.require_client(user, client)
    await transaction.lock([f"ladder:{severity}:{client}"])
    before = await ladder_of(transaction.connection, client, severity)
    document = ladder.model_dump(mode="json")
    values = {"ladder": document, "updated_at": now, "updated_by": user.name}
    mine = (complaint_ladders.c.client == client) & (complaint_ladders.c.severity == severity)
    changed = await transaction.execute(update(complaint_ladders).where(mine).values(**values))
    if not changed.rowcount:
        await transaction.execute(insert(complaint_ladders).values(client=client, severity=severity, **values))
    data = {"severity": severity, "before": before.model_dump(mode="json"), "after": document, "reason": reason}
    transaction.journal(Entry(now, "complaint.ladder_changed", user.name, client or None, data=data))
