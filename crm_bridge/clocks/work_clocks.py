"""The work plan's clocks, moved by what happens: first call and round (S43, S44), the floors (S2-S4), the same-day note (S35).

Each method is a reaction to a journal entry. A target makes nobody call whom the rules protect: what stops the calling on a
case (suspended, settled, closed, returned, a complaint) ends its clocks, and resuming starts those of the floors anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import false, select
from sqlalchemy.engine import Row

from config.database import Transaction
from config.journal import Entry
from crm_bridge.clocks import calendars
from crm_bridge.clocks.deadline_rules import Due, Rule, due_of, rule_of, warning
from crm_bridge.clocks.deadlines import Deadline, by_rule, cancel, forget, meet, open_deadline
from crm_bridge.clocks.due_work import targets
from crm_bridge.clocks.duty import Roster
from crm_bridge.clocks.tables import deadlines
from crm_bridge.clocks.working_time import WorkingTime
from crm_bridge.complaints.reach import reaches
from crm_bridge.tables import cases, complaints, notes, users
from crm_bridge.workers import Reaction
from telephony.tables import calls

FIRSTS = ("first-call", "first-round")
PLAN = (*FIRSTS, "cadence")
FLOORS = frozenset({"S2", "S3", "S4"})
LOOK_AHEAD = 16
"""Days: somewhere within them each floor's next period has begun."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What holds for a client: its calendar, and its rule of each kind."""

    calendar: WorkingTime
    rules: Mapping[str, Rule]


class WorkClocks:
    """Opens, meets and ends the deadlines of the work plan. `zone` is that of clients without a calendar or policy."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        # Rules and calendars are the same for a batch of entries, which is one transaction.
        self._plans: WeakKeyDictionary[Transaction, dict[str | None, Plan]] = WeakKeyDictionary()

    @property
    def subscribers(self) -> Mapping[str, Sequence[Reaction]]:
        """What is followed."""
        return {
            "case.created": (self.case_came_in,),
            "case.updated": (self.collector_changed,),
            "case.suspended": (self.calling_stopped,),
            "case.resumed": (self.calling_resumed,),
            "call.state": (self.call_went_out,),
            "call.ended": (self.call_ended,),
            "note.drafted": (self.note_drafted,),
            "note.final": (self.note_written,),
            "user.changed": (self.somebody_left,),
        }

    async def _plan(self, transaction: Transaction, client: str | None) -> Plan:
        plans = self._plans.setdefault(transaction, {})
        if client not in plans:
            calendar = await calendars.of_client(transaction.connection, client, self._zone)
            rules = {kind: await rule_of(transaction.connection, kind, client) for kind in (*PLAN, "note")}
            plans[client] = Plan(calendar, rules)
        return plans[client]

    async def case_came_in(self, transaction: Transaction, entry: Entry) -> None:
        """A new case is to be called within hours, and again and again."""
        case = await _case(transaction, entry.case_id)
        if case is None or not await _may_be_called(transaction, case):
            return
        await self._open_firsts(transaction, case, case.created_at, entry.at)
        await self._next_cadence(transaction, case, entry.at)

    async def _open_firsts(self, transaction: Transaction, case: Row[Any], start: datetime, now: datetime) -> None:
        plan = await self._plan(transaction, case.client)
        for kind in FIRSTS:
            rule = plan.rules[kind]
            if rule.enabled:
                due = due_of(rule.within, rule.unit, rule.warn_minutes, start, plan.calendar)
                await open_deadline(transaction, _of_case(case, kind, f"{kind}:{case.id}", due, rule), now)

    async def _next_cadence(self, transaction: Transaction, case: Row[Any], now: datetime) -> None:
        """The floor's next call; only one is open at a time."""
        rule = (await self._plan(transaction, case.client)).rules["cadence"]
        made = await _calls_made(transaction, case.id)
        due_at = _next_due(case, made, now)
        if not rule.enabled or due_at is None:
            return
        due = Due(due_at, warning(due_at, rule.warn_minutes, now))
        key = f"cadence:{case.id}:{due_at.isoformat()}"
        await open_deadline(transaction, _of_case(case, "cadence", key, due, rule), now)

    async def cadence_missed(
        self, transaction: Transaction, rows: Sequence[Row[Any]], _people: Roster, now: datetime
    ) -> None:
        """What follows a missed call of a floor: the next one is watched."""
        for row in rows:
            case = await _case(transaction, row.case_id)
            if case is not None and await _may_be_called(transaction, case):
                await self._next_cadence(transaction, case, now)

    async def call_went_out(self, transaction: Transaction, entry: Entry) -> None:
        """The customer's leg was dialled: the case was worked on, whatever comes of it."""
        if (entry.data.get("call") or {}).get("state") == "calling_customer":
            await self._called(transaction, entry)

    async def call_ended(self, transaction: Transaction, entry: Entry) -> None:
        """What left the PBX, or may have, counts as a call also if nothing was heard of it meanwhile."""
        call = entry.data.get("call") or {}
        if call.get("calling_customer_at") and call.get("outcome") != "not_placed":
            await self._called(transaction, entry)

    async def _called(self, transaction: Transaction, entry: Entry) -> None:
        case = await _case(transaction, entry.case_id)
        if case is None:
            return
        at = datetime.fromisoformat(entry.data["call"]["created_at"])
        firsts = [f"first-call:{case.id}", f"first-round:{case.id}"]
        by = entry.agent or "system"
        await meet(transaction, firsts, at=at, by=by, reason=f"call {entry.call_id}", now=entry.at)
        floors = select(deadlines.c.key, deadlines.c.opened_at).where(deadlines.c.kind == "cadence")
        running = floors.where(deadlines.c.case_id == case.id, deadlines.c.ended_at.is_(None))
        watched = await transaction.all(running)
        done = [row.key for row in watched if row.opened_at <= at]
        if done:
            await meet(transaction, done, at=at, by=by, reason=f"call {entry.call_id}", now=entry.at)
        if len(done) == len(watched) and await _may_be_called(transaction, case):
            await self._next_cadence(transaction, case, entry.at)

    async def calling_stopped(self, transaction: Transaction, entry: Entry) -> None:
        """Nobody is to be called, so nothing is due."""
        mine = (deadlines.c.case_id == entry.case_id) & deadlines.c.kind.in_(PLAN)
        await cancel(transaction, mine, by="system", reason=str(entry.data.get("reason") or "stopped"), now=entry.at)
        await forget(transaction, mine & (deadlines.c.due_at > entry.at))

    async def calling_resumed(self, transaction: Transaction, entry: Entry) -> None:
        """The floors count on from here; a case that nobody has called yet is new again."""
        case = await _case(transaction, entry.case_id)
        if case is None or not await _may_be_called(transaction, case):
            return
        if not await _calls_made(transaction, case.id):
            await self._open_firsts(transaction, case, entry.at, entry.at)
        await self._next_cadence(transaction, case, entry.at)

    async def collector_changed(self, transaction: Transaction, entry: Entry) -> None:
        """The case's clocks go with it to its new collector."""
        if "collector" not in entry.data.get("changed", ()):
            return
        case = await _case(transaction, entry.case_id)
        if case is not None:
            mine = (deadlines.c.case_id == case.id) & deadlines.c.kind.in_(PLAN) & deadlines.c.ended_at.is_(None)
            await transaction.execute(deadlines.update().where(mine).values(owner=case.collector))

    async def note_drafted(self, transaction: Transaction, entry: Entry) -> None:
        """A call's note is to be written on the day of the call."""
        call = await transaction.first(select(calls.c.created_at, calls.c.agent).where(calls.c.id == entry.call_id))
        note = await transaction.first(select(notes.c.state).where(notes.c.call_id == entry.call_id))
        plan = await self._plan(transaction, entry.client)
        rule = plan.rules["note"]
        if call is None or note is None or note.state == "final" or not rule.enabled:
            return
        due = due_of(rule.within, rule.unit, rule.warn_minutes, call.created_at, plan.calendar)
        about = {"client": entry.client, "case_id": entry.case_id, "call_id": entry.call_id, "owner": call.agent}
        new = Deadline(f"note:{entry.call_id}", "note", due, **about, **by_rule(rule))
        await open_deadline(transaction, new, entry.at)

    async def note_written(self, transaction: Transaction, entry: Entry) -> None:
        """It was, also when it is written before its clock is read."""
        if entry.call_id is not None:
            keys = [f"note:{entry.call_id}"]
            await meet(transaction, keys, at=entry.at, by=entry.actor, reason="written", now=entry.at)

    async def somebody_left(self, transaction: Transaction, entry: Entry) -> None:
        """What somebody who left was to do falls to the supervisors of the team, and that is said."""
        if entry.data.get("active") is not False:
            return
        name = entry.data["user"]
        team = await transaction.connection.scalar(select(users.c.team).where(users.c.name == name))
        mine = (deadlines.c.owner == name) & deadlines.c.ended_at.is_(None)
        values = {"owner": None, "owner_role": "supervisor", "team": team}
        moved = (
            await transaction.execute(deadlines.update().where(mine).values(**values).returning(deadlines.c.id))
        ).all()
        if moved:
            data = {"from": name, "to": "supervisor", "team": team, "count": len(moved), "reason": f"{name} has left"}
            transaction.journal(Entry(entry.at, "deadline.reassigned", "system", data=data))


def _of_case(case: Row[Any], kind: str, key: str, due: Due, rule: Rule) -> Deadline:
    about = {"client": case.client, "case_id": case.id, "owner": case.collector}
    return Deadline(key, kind, due, **about, **by_rule(rule))


def _next_due(case: Row[Any], made: Sequence[tuple[datetime, bool]], now: datetime) -> datetime | None:
    """When the floors' next call is due; one that is overdue was told, so it is the next period's."""
    for ahead in range(LOOK_AHEAD):
        then = now + timedelta(days=ahead)
        wanted = targets(case.created_at, case.debtor_reachable, made, then)
        upcoming = [one.due_at for one in wanted if one.source in FLOORS and one.due_at > now]
        if upcoming:
            return min(upcoming)
    return None


async def _may_be_called(transaction: Transaction, case: Row[Any]) -> bool:
    """Whether neither its state nor a complaint stops the calling."""
    unsettled = (complaints.c.state == "open") | (complaints.c.instructed == false())
    stopped = select(complaints.c.id).where(reaches(case.id), unsettled).limit(1)
    return case.state == "open" and await transaction.first(stopped) is None


async def _case(transaction: Transaction, case_id: str | None) -> Row[Any] | None:
    return await transaction.first(select(cases).where(cases.c.id == case_id)) if case_id else None


async def _calls_made(transaction: Transaction, case_id: str) -> list[tuple[datetime, bool]]:
    placed = calls.c.calling_customer_at.is_not(None) & calls.c.outcome.is_distinct_from("not_placed")
    statement = select(calls.c.created_at, calls.c.outcome).where(calls.c.case_id == case_id, placed)
    rows = await transaction.all(statement.order_by(calls.c.created_at))
    return [(row.created_at, row.outcome == "conversation") for row in rows]
