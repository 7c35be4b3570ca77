"""Routes of inbound calls by the number that was called: to the case's collector, a group or a phone, at which hours."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import ColumnElement, delete, insert, select, true, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import Conflict, Invalid, NotFound
from config.journal import Entry
from crm_bridge.inbound.matching import e164_of
from crm_bridge.inbound.tables import inbound_routes
from crm_bridge.people import groups, scope
from crm_bridge.people.users import User
from crm_bridge.policies import PROMPT
from telephony.policy.facts import Band, House, ZoneKey
from telephony.policy.hours import weekly
from telephony.policy.zones import zone

EVERY_OTHER = "*"
"""The route of each number that has none of its own; also what the PBX does while the service is away."""
ENDPOINT = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
LONGEST_RING = 120


def _hours(value: object) -> object:
    """As a policy's hours: "09:00-18:00", a band, or a list of bands; `{zone, bands}` is taken apart before."""
    try:
        return House.model_validate({"hours": value}).hours if value is not None else None
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def _ways(value: object) -> object:
    """One way, or its name alone: digits are a phone, else it is a group."""
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [
        {"to": "extension" if item.isdigit() else "group", "target": item} if isinstance(item, str) else item
        for item in values
    ]


class Way(BaseModel):
    """Where a call goes next: a group, a phone, or a message after which it ends."""

    model_config = ConfigDict(extra="forbid")

    to: Literal["group", "extension", "message"]
    target: str | None = Field(None, max_length=128, description="group, phone or sound file; a message may have none")

    @model_validator(mode="after")
    def _fits(self) -> "Way":
        _require_target(self.to, self.target)
        return self


class RouteChange(BaseModel):
    """Where calls to a number go."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    to: Literal["owner", "group", "extension"] = Field(description="owner: the collector of the caller's case")
    target: str | None = Field(None, max_length=64, description="the group, or the phone's extension")
    hours: Annotated[tuple[Band, ...] | None, BeforeValidator(_hours)] = Field(
        None, description='"09:00-18:00" or bands {days, from, to}; absent: at all hours'
    )
    zone: ZoneKey | None = Field(None, description="of the hours; absent: the service's own")
    overflow: Annotated[list[Way], BeforeValidator(_ways), Field(max_length=5)] = Field(
        [], description="where it goes when nobody answers, in turn"
    )
    ring_seconds: int = Field(20, ge=5, le=LONGEST_RING, description="how long each step rings")
    announcement: str | None = Field(None, pattern=PROMPT, description="sound file played before anybody is rung")
    closed_message: str | None = Field(None, pattern=PROMPT, description="sound file played outside the hours")
    client: str | None = Field(None, min_length=1, max_length=128, description="whose number it is")
    enabled: bool = True
    reason: str | None = Field(None, max_length=2000, description="why it changes, for the journal")

    @model_validator(mode="before")
    @classmethod
    def _zone_within(cls, data: Any) -> Any:
        hours = data.get("hours") if isinstance(data, Mapping) else None
        if isinstance(hours, Mapping) and "bands" in hours:
            within = {"hours": hours["bands"], **({"zone": hours["zone"]} if "zone" in hours else {})}
            return {**data, **within}
        return data

    @model_validator(mode="after")
    def _fits(self) -> "RouteChange":
        if self.to == "owner" and self.target is not None:
            raise ValueError("target must be left out: the owner is whoever works the caller's case")
        _require_target(self.to, self.target)
        return self


class NewRoute(RouteChange):
    """A route to create."""

    did: str = Field(min_length=1, max_length=40, description="the number called; * is every number without a route")


def _require_target(to: str, target: str | None) -> None:
    shape = {"group": groups.NAME, "extension": ENDPOINT, "message": PROMPT}.get(to)
    if shape is None or (to == "message" and target is None):
        return
    if target is None:
        raise ValueError(f"target must name the {to}")
    if not re.fullmatch(shape, target):
        raise ValueError(f"target {target!r} is no name of a {to}")


def written(did: str, region: str) -> str:
    """A called number as it is kept: E.164, else its digits, as of 95588. Raises Invalid."""
    if did.strip() == EVERY_OTHER:
        return EVERY_OTHER
    digits = "".join(character for character in did if character.isdigit() or character == "+")
    known = e164_of(digits, region) if digits else None
    if known is None and (not 3 <= len(digits) <= 20 or any(character.isalpha() for character in did)):
        message = "must be a phone number, or * for every number without a route of its own"
        raise Invalid(f"did: {message}", [{"field": "did", "message": message}])
    return known or digits


def is_open(route: Row[Any], at: datetime) -> bool:
    """Whether the route's hours hold the moment; one without hours is always open."""
    if route.hours is None:
        return True
    local = at.astimezone(zone(route.zone))
    week = weekly(Band.model_validate(band) for band in route.hours)
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in week[local.weekday()])


async def route_of(connection: AsyncConnection, did: str, region: str) -> Row[Any] | None:
    """The enabled route of a number as the carrier sends it: its own, else that of every other number."""
    known = [e164_of(did, region), did, f"+{did}", did.removeprefix("+"), EVERY_OTHER]
    wanted = select(inbound_routes).where(inbound_routes.c.did.in_([each for each in known if each]))
    found = {row.did: row for row in (await connection.execute(wanted)).all() if row.enabled}
    return next((found[each] for each in known if each in found), None)


async def find(connection: AsyncConnection, did: str, user: User | None = None) -> Row[Any]:
    """The route of exactly that number, if it is `user`'s to see. Raises NotFound."""
    wanted = select(inbound_routes).where(inbound_routes.c.did == did, _seen_by(user))
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise NotFound(f"there is no route for {did}")
    return row


async def listing(connection: AsyncConnection, after: str, limit: int, user: User | None = None) -> list[Row[Any]]:
    """Routes by number, those that follow `after` and are `user`'s to see."""
    statement = select(inbound_routes).where(inbound_routes.c.did > after, _seen_by(user))
    return list((await connection.execute(statement.order_by(inbound_routes.c.did).limit(limit))).all())


def _seen_by(user: User | None) -> ColumnElement[bool]:
    return scope.shared_seen_by(user, inbound_routes.c.client) if user is not None else true()


async def require_theirs(connection: AsyncConnection, did: str, client: str | None, user: User) -> None:
    """Refuse to lead another client's number elsewhere, or one's own to another client. Raises NotFound, Forbidden."""
    if client is not None:
        scope.require_client(user, client)
    if await connection.scalar(select(inbound_routes.c.did).where(inbound_routes.c.did == did)) is not None:
        await find(connection, did, user)


async def put(
    transaction: Transaction,
    did: str,
    given: RouteChange,
    *,
    zone_key: str,
    actor: str,
    now: datetime,
    only_new: bool = False,
) -> tuple[Row[Any], bool]:
    """Set the route of a number, journalled with what it was; its row and whether it is new.

    Raises Conflict where it must be new and is not, Invalid for a group there is none of.
    """
    await transaction.lock([f"inbound-route:{did}"])
    before = await transaction.first(select(inbound_routes).where(inbound_routes.c.did == did))
    if before is not None and only_new:
        raise Conflict(f"there is a route for {did} already")
    await _require_groups(transaction, given)
    values = given.model_dump(exclude={"reason", "did", "hours", "overflow", "zone"})
    bands = [band.model_dump(mode="json", by_alias=True) for band in given.hours or ()]
    values["hours"] = bands if given.hours is not None else None
    values["overflow"] = [way.model_dump() for way in given.overflow]
    values["zone"] = given.zone or (before.zone if before is not None else zone_key)
    stamped = {**values, "updated_at": now, "updated_by": actor}
    if before is None:
        await transaction.execute(insert(inbound_routes).values(did=did, **stamped))
    else:
        await transaction.execute(update(inbound_routes).where(inbound_routes.c.did == did).values(**stamped))
    row = await find(transaction.connection, did)
    _journal(transaction, did, before, row, given.reason, actor, now)
    return row, before is None


async def remove(transaction: Transaction, did: str, reason: str | None, *, actor: str, now: datetime) -> None:
    """Take a route away; calls to the number then take that of every other number. Raises NotFound."""
    await transaction.lock([f"inbound-route:{did}"])
    before = await find(transaction.connection, did)
    await transaction.execute(delete(inbound_routes).where(inbound_routes.c.did == did))
    _journal(transaction, did, before, None, reason, actor, now)


def _journal(
    transaction: Transaction,
    did: str,
    before: Row[Any] | None,
    after: Row[Any] | None,
    reason: str | None,
    actor: str,
    now: datetime,
) -> None:
    client = next((row.client for row in (after, before) if row is not None), None)
    data = {"did": did, "before": _shown(before), "after": _shown(after), "reason": reason}
    transaction.journal(Entry(now, "inbound_route.changed", actor, client, data=data))


def _shown(row: Row[Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {key: value for key, value in row._mapping.items() if key not in ("did", "updated_at", "updated_by")}


async def _require_groups(transaction: Transaction, given: RouteChange) -> None:
    ways: Sequence[tuple[str, str, str | None]] = [
        ("target", given.to, given.target),
        *((f"overflow.{index}.target", way.to, way.target) for index, way in enumerate(given.overflow)),
    ]
    errors = []
    for field, to, target in ways:
        if to == "group" and target is not None:
            try:
                await groups.find(transaction.connection, target)
            except NotFound as missing:
                errors.append({"field": field, "message": missing.detail})
    if errors:
        raise Invalid(f"{errors[0]['field']}: {errors[0]['message']}", errors)
