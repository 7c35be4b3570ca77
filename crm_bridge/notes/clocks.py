"""Reminders: promises before they are due (S29), call-backs, ends of mandates (S25), imports to be confirmed (S41).

Each method is a reaction to a journal entry; `MandateEnds` looks once in a while, as nothing happens when a date comes near.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import exists, literal, select, tuple_
from sqlalchemy.engine import Row

from config.database import Database, Transaction
from config.journal import Entry
from crm_bridge.clocks import calendars
from crm_bridge.clocks.deadline_rules import Due, Rule, rule_of, warning
from crm_bridge.clocks.deadlines import Deadline, by_rule, cancel, forget, meet, open_deadline
from crm_bridge.clocks.tables import deadlines
from crm_bridge.clocks.working_time import WorkingTime
from crm_bridge.imports.tables import imports
from crm_bridge.notes.tables import commitments
from crm_bridge.tables import cases
from crm_bridge.workers import Reaction
from telephony.policy.zones import local_date, start_of_day

DAY = timedelta(days=1)
MANDATE = "mandate-end"
KIND = {"promise": "promise", "call_back": "call-back"}
AT_A_TIME = 200
LOOK_AHEAD = timedelta(days=31)
WORKED_ON = ("open", "suspended", "payment_pending")


def reminder(due_at: datetime, rule: Rule, calendar: WorkingTime, now: datetime) -> datetime | None:
    """When to remind of a promised day: as long before as the rule says, on a day that people work; else at opening that day."""
    wanted = due_at - timedelta(minutes=rule.warn_minutes)
    for _ in range(14):
        if calendar.is_working(local_date(wanted, calendar.zone)):
            break
        wanted -= DAY
    if wanted > now:
        return wanted
    opens = start_of_day(calendar.zone, local_date(due_at - DAY, calendar.zone)) + timedelta(minutes=calendar.opens)
    return opens if now < opens < due_at else None


class NoteClocks:
    """Opens and ends these deadlines. `zone` is that of clients without a calendar or policy."""

    def __init__(self, zone: str) -> None:
        self._zone = zone

    @property
    def subscribers(self) -> Mapping[str, Sequence[Reaction]]:
        """What is followed."""
        return {
            "commitment.made": (self.committed,),
            "commitment.closed": (self.commitment_over,),
            "case.updated": (self.mandate_changed,),
            "case.state": (self.case_over,),
            "import.uploaded": (self.file_came,),
            "import.extended": (self.file_came,),
            "import.confirmed": (self.file_confirmed,),
            "import.canceled": (self.file_given_up,),
        }

    async def committed(self, transaction: Transaction, entry: Entry) -> None:
        """A promise or a call-back: remind before it, tell when it is past."""
        row = await transaction.first(select(commitments).where(commitments.c.id == entry.data["commitment_id"]))
        if row is None or row.state != "open":
            return
        kind = KIND[row.kind]
        rule = await rule_of(transaction.connection, kind, row.client)
        if not rule.enabled:
            return
        calendar = await calendars.of_client(transaction.connection, row.client, self._zone)
        due = self._due_of(row, rule, calendar, entry.at)
        if due.due_at <= entry.at:
            return
        about = {"client": row.client, "case_id": row.case_id, "call_id": row.call_id, "owner": row.collector}
        await open_deadline(transaction, Deadline(f"{kind}:{row.id}", kind, due, **about, **by_rule(rule)), entry.at)

    @staticmethod
    def _due_of(row: Row[Any], rule: Rule, calendar: WorkingTime, now: datetime) -> Due:
        if row.at is not None:
            return Due(row.at, warning(row.at, rule.warn_minutes, now))
        due_at = start_of_day(calendar.zone, date.fromisoformat(row.day) + DAY)
        return Due(due_at, reminder(due_at, rule, calendar, now))

    async def commitment_over(self, transaction: Transaction, entry: Entry) -> None:
        """It was kept, broken, done or withdrawn: nobody needs to be reminded."""
        kind = KIND[entry.data["commitment"]]
        key, state = f"{kind}:{entry.data['commitment_id']}", entry.data["state"]
        if state in ("kept", "done"):
            await meet(transaction, [key], at=entry.at, by=entry.actor, reason=state, now=entry.at)
        else:
            await cancel(transaction, deadlines.c.key == key, by=entry.actor, reason=state, now=entry.at)

    async def mandate_changed(self, transaction: Transaction, entry: Entry) -> None:
        """The mandate ends another day: the alert of the old day is over."""
        if "mandate_until" in entry.data.get("changed", ()):
            await self._end_mandate(transaction, entry, "the mandate was changed")

    async def case_over(self, transaction: Transaction, entry: Entry) -> None:
        """A case that was settled, closed or returned is returned to nobody any more."""
        if entry.data.get("to") in ("settled", "closed", "returned"):
            await self._end_mandate(transaction, entry, f"the case is {entry.data['to']}")

    @staticmethod
    async def _end_mandate(transaction: Transaction, entry: Entry, reason: str) -> None:
        mine = (deadlines.c.case_id == entry.case_id) & (deadlines.c.kind == MANDATE)
        await cancel(transaction, mine, by=entry.actor, reason=reason, now=entry.at)
        await forget(transaction, mine & (deadlines.c.due_at > entry.at))  # so that it can be told anew

    async def file_came(self, transaction: Transaction, entry: Entry) -> None:
        """A client's file is to be imported and confirmed within the hour, or three where that was allowed."""
        row = await transaction.first(select(imports).where(imports.c.id == entry.data["import_id"]))
        rule = await rule_of(transaction.connection, "import", entry.client)
        if row is None or row.confirmed_at is not None or not rule.enabled:
            return
        mine = deadlines.c.key.in_([f"import:{row.id}", f"import:{row.id}:extended"])
        if entry.kind == "import.extended":
            await cancel(transaction, mine, by=entry.actor, reason=str(entry.data["reason"]), now=entry.at)
            await forget(transaction, mine & (deadlines.c.missed_at.is_(None)))
        key = f"import:{row.id}:extended" if entry.kind == "import.extended" else f"import:{row.id}"
        due = Due(row.deadline_at, warning(row.deadline_at, rule.warn_minutes, entry.at))
        new = Deadline(key, "import", due, row.file_name, client=row.client, **by_rule(rule))
        await open_deadline(transaction, new, entry.at)

    async def file_confirmed(self, transaction: Transaction, entry: Entry) -> None:
        """The clock stops."""
        keys = [f"import:{entry.data['import_id']}", f"import:{entry.data['import_id']}:extended"]
        await meet(transaction, keys, at=entry.at, by=entry.actor, reason=str(entry.data["to"]), now=entry.at)

    async def file_given_up(self, transaction: Transaction, entry: Entry) -> None:
        """A file that was the wrong one, before anything of it was imported, needs no confirmation."""
        if entry.data.get("was") in ("uploaded", "checking", "checked", "trying"):
            mine = deadlines.c.key.in_(
                [f"import:{entry.data['import_id']}", f"import:{entry.data['import_id']}:extended"]
            )
            await cancel(transaction, mine, by=entry.actor, reason=str(entry.data["reason"]), now=entry.at)


@dataclass(frozen=True, slots=True)
class MandateEnds:
    """Tells of open cases whose mandate ends soon (S25): looked for by day, each told once for each last day."""

    database: Database
    zone: str

    async def tick(self, now: datetime) -> int:
        """Open what is missing; how many there were."""
        total, after = 0, ("", "")
        while True:
            async with self.database.write() as transaction:
                rows = await self._near(transaction, now, after)
                plans = {client: await self._plan(transaction, client) for client in {row.client for row in rows}}
                total += sum([await self._open(transaction, row, plans[row.client], now) for row in rows])
            if len(rows) < AT_A_TIME:
                return total
            after = (rows[-1].mandate_until, rows[-1].id)

    async def _near(self, transaction: Transaction, now: datetime, after: tuple[str, str]) -> Sequence[Row[Any]]:
        today = local_date(now, self.zone)
        told = exists().where(
            deadlines.c.case_id == cases.c.id,
            deadlines.c.kind == MANDATE,
            deadlines.c.text == cases.c.mandate_until,
        )
        near = cases.c.mandate_until.between(today.isoformat(), (today + LOOK_AHEAD).isoformat())
        later = tuple_(cases.c.mandate_until, cases.c.id) > tuple_(literal(after[0]), literal(after[1]))
        columns = (cases.c.id, cases.c.client, cases.c.collector, cases.c.mandate_until)
        wanted = select(*columns).where(near, later, cases.c.state.in_(WORKED_ON), ~told)
        return await transaction.all(wanted.order_by(cases.c.mandate_until, cases.c.id).limit(AT_A_TIME))

    async def _plan(self, transaction: Transaction, client: str) -> tuple[Rule, WorkingTime]:
        rule = await rule_of(transaction.connection, MANDATE, client)
        return rule, await calendars.of_client(transaction.connection, client, self.zone)

    @staticmethod
    async def _open(transaction: Transaction, row: Row[Any], plan: tuple[Rule, WorkingTime], now: datetime) -> bool:
        rule, calendar = plan
        due_at = start_of_day(calendar.zone, date.fromisoformat(row.mandate_until) + DAY)
        warn_at = reminder(due_at, rule, calendar, now) or now
        about = {"client": row.client, "case_id": row.id, "owner": row.collector, "text": row.mandate_until}
        new = Deadline(f"mandate:{row.id}:{row.mandate_until}", MANDATE, Due(due_at, warn_at), **about, **by_rule(rule))
        return due_at > now and rule.enabled and await open_deadline(transaction, new, now)
