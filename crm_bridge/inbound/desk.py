"""Where an inbound call goes: the route of the number called, whose case it may be, and who is there to answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.errors import NotFound
from crm_bridge.embed.screen_pop_links import with_links
from crm_bridge.floor.agent_states import available_agents
from crm_bridge.inbound import routes as inbound_routes
from crm_bridge.inbound.matching import CURRENT, Holder, client_of, e164_of, history_entries, holders, only, seen_by
from crm_bridge.people import groups
from crm_bridge.people.users import User, user_of
from crm_bridge.tables import users
from telephony.inbound.arrivals import Arrival, Reception, What

Why = Literal["rings", "not_ready", "phone_busy", "phone_away", "other_pbx"]
ENGAGED = {"INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD"}
AWAY = {"UNAVAILABLE", "INVALID"}
LONGEST_STEP = 20
"""Phones that one Dial() rings at once."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody whom a call could ring, and why it does or does not."""

    agent: str
    endpoint: str
    why: Why


@dataclass(frozen=True, slots=True)
class Stop:
    """One way of a route: `to` owner, group, extension or message, and who is behind it."""

    to: str
    target: str | None
    people: Sequence[Candidate] = ()
    in_turn: bool = False

    def steps(self) -> list[list[str]]:
        """The endpoints that ring: together, or each after the other."""
        free = list(dict.fromkeys(one.endpoint for one in self.people if one.why == "rings"))
        return [[endpoint] for endpoint in free] if self.in_turn else [free[:LONGEST_STEP]] if free else []


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens to a call; `route` None: nothing is set up for the number."""

    what: What
    route: Row[Any] | None
    caller: str | None
    found: Sequence[Holder]
    stops: Sequence[Stop] = ()

    @property
    def steps(self) -> list[list[str]]:
        """Everything that rings, in turn, up to the first message."""
        found: list[list[str]] = []
        for stop in self.stops:
            if stop.to == "message":
                break
            found += stop.steps()
        return found

    @property
    def message(self) -> str | None:
        """What the caller hears at the end."""
        if self.route is not None and self.what == "closed":
            return str(self.route.closed_message) if self.route.closed_message else None
        return next((stop.target for stop in self.stops if stop.to == "message"), None)


@dataclass(frozen=True, slots=True)
class InboundDesk:
    """Decides for each call that comes in. `phone_state` is Asterisk's word for an endpoint of a PBX."""

    region: str
    first_pbx: str
    phone_state: Callable[[str, str], str]

    async def receive(self, transaction: Transaction, arrival: Arrival, now: datetime) -> Reception:
        """Route, match and choose whom to ring; the matches go with each phone as its user may see them."""
        connection = transaction.connection
        plan = await self.plan(connection, arrival.did, arrival.caller, arrival.pbx, now)
        if plan.caller is not None:
            await transaction.lock([f"number:{plan.caller}"])
        case_id, party_id = only(plan.found)
        client = client_of(plan.found) or (plan.route.client if plan.route is not None else None)
        entries = history_entries(arrival.call_id, plan.caller, plan.found, now, "live") if plan.caller else []
        return Reception(
            what=plan.what,
            did=self.known_did(plan, arrival.did),
            caller=plan.caller,
            steps=plan.steps,
            ring_seconds=plan.route.ring_seconds if plan.route is not None else 30,
            announcement=plan.route.announcement if plan.route is not None else None,
            message=plan.message,
            phones=await self._phones(connection, plan),
            matches=[holder.document() for holder in plan.found],
            case_id=case_id,
            party_id=party_id,
            client=client,
            contacts=entries,
        )

    def known_did(self, plan: Plan, did: str) -> str:
        """The number called as its route has it, else as far as it is known."""
        if plan.route is not None and plan.route.did != inbound_routes.EVERY_OTHER:
            return str(plan.route.did)
        return e164_of(did, self.region) or did

    async def plan(
        self,
        connection: AsyncConnection,
        did: str,
        caller: str,
        pbx: str,
        now: datetime,
        hours_at: datetime | None = None,
        reader: User | None = None,
    ) -> Plan:
        """What happens to a call of `caller` to `did` now, or at the hour of `hours_at`; nothing is written.

        For a `reader` only as far as the cases go that they may see. Raises NotFound: the route is not theirs.
        """
        number = e164_of(caller, self.region) if caller else None
        found = await holders(connection, number) if number else []
        route = await inbound_routes.route_of(connection, did, self.region)
        if reader is not None:
            seen = {match["case_id"] for match in await seen_by(connection, found, reader)}
            found = [holder for holder in found if holder.case_id in seen]
            if route is not None:
                await inbound_routes.find(connection, route.did, reader)
        if route is None:
            return Plan("no-route", None, number, found)
        if not inbound_routes.is_open(route, hours_at or now):
            return Plan("closed", route, number, found)
        ways = [{"to": route.to, "target": route.target}, *route.overflow]
        stops = [await self._stop(connection, way, found, pbx, now) for way in ways]
        plan = Plan("ring", route, number, found, stops)
        return plan if plan.steps else replace(plan, what="nobody")

    async def _stop(
        self, connection: AsyncConnection, way: Mapping[str, Any], found: Sequence[Holder], pbx: str, now: datetime
    ) -> Stop:
        to, target = way["to"], way["target"]
        if to == "message":
            return Stop(to, target)
        if to == "extension":
            agent = await self._user_with(connection, target, pbx)
            return Stop(to, target, [Candidate(agent, target, self._state(pbx, target))])
        if to == "owner":
            owners = [holder.collector for holder in found if holder.collector and holder.state in CURRENT]
            return Stop(to, None, await self._people(connection, owners, pbx, now))
        try:
            group = await groups.find(connection, target)
        except NotFound:
            return Stop(to, target)
        people = await self._people(connection, group.members, pbx, now)
        return Stop(to, target, people, in_turn=group.ring == "in_turn")

    async def _people(
        self, connection: AsyncConnection, names: Sequence[str], pbx: str, now: datetime
    ) -> list[Candidate]:
        people = await groups.people(connection, names)
        ready = set(await available_agents(connection, names, now))
        return [Candidate(one.name, one.extension, self._why(one, one.name in ready, pbx)) for one in people]

    def _why(self, person: groups.Person, ready: bool, pbx: str) -> Why:
        if (person.pbx or self.first_pbx) != pbx:
            return "other_pbx"
        return self._state(pbx, person.extension) if ready else "not_ready"

    def _state(self, pbx: str, endpoint: str) -> Why:
        state = self.phone_state(pbx, endpoint)
        return "phone_away" if state in AWAY else "phone_busy" if state in ENGAGED else "rings"

    async def _user_with(self, connection: AsyncConnection, extension: str, pbx: str) -> str:
        here = or_(users.c.pbx == pbx, users.c.pbx.is_(None)) if pbx == self.first_pbx else users.c.pbx == pbx
        mine = select(users.c.name).where(users.c.extension == extension, users.c.active, here)
        return str(await connection.scalar(mine) or "")

    async def agent_at(self, connection: AsyncConnection, pbx: str, endpoint: str) -> Row[Any] | None:
        """The `users` row of whoever has that phone."""
        name = await self._user_with(connection, endpoint, pbx)
        return (await connection.execute(select(users).where(users.c.name == name))).first()

    async def _phones(self, connection: AsyncConnection, plan: Plan) -> dict[str, Any]:
        """Of each phone that may ring: whose it is, and the matches that its user may see."""
        rung = {endpoint for step in plan.steps for endpoint in step}
        agents = {one.endpoint: one.agent for stop in plan.stops for one in stop.people if one.endpoint in rung}
        rows = await connection.execute(select(users).where(users.c.name.in_(agents.values())))
        people = {row.name: user_of(row) for row in rows}
        phones: dict[str, Any] = {}
        for endpoint, agent in agents.items():
            user = people.get(agent)
            matches = await seen_by(connection, plan.found, user) if user is not None else []
            matches = await with_links(connection, matches)
            phones[endpoint] = {"agent": agent, "role": user.role if user else "collector", "matches": matches}
        return phones
