"""Retention classes as kept: what is in force, changing one with its effect shown before, and every recording's date."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import NotFound
from config.journal import Entry
from recordings.retention import SHIPPED, Due, RetentionClass, Subject, delete_after
from recordings.retention_tables import retention_classes
from recordings.tables import recordings
from telephony.tables import calls, contacts, decisions, policies

HOUSE_ZONE = "Asia/Shanghai"
"""Whose calendar counts where the client has no policy of its own (the settings' default as well)."""
KEPT = ("archived",)
BATCH = 500

Classes = Mapping[str, RetentionClass]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change would do: recordings looked at, whose date moves later, and whose would be earlier but stays."""

    recordings: int
    extended: int
    kept_longer: int
    uncovered: int
    earliest: date | None
    latest: date | None


async def in_force(connection: AsyncConnection) -> dict[str, RetentionClass]:
    """Every class by id: those saved, and the shipped ones that nobody changed."""
    rows = await connection.execute(select(retention_classes))
    return {found.id: found for found in SHIPPED} | {row.id: class_of(row) for row in rows}


async def revision(connection: AsyncConnection) -> int:
    """Rises with every change; a recording's date is up to date when it bears this number."""
    return await connection.scalar(select(func.max(retention_classes.c.revision))) or 0


def class_of(row: Row[Any]) -> RetentionClass:
    """The class of a saved row."""
    fields = {name: row._mapping[name] for name in RetentionClass.__dataclass_fields__}
    return RetentionClass(**fields | {"clients": None if row.clients is None else tuple(row.clients)})


async def save(
    transaction: Transaction, found: RetentionClass, *, reason: str, actor: str, now: datetime
) -> RetentionClass | None:
    """Put the class in force and journal it with the reason; what it was before. Recordings follow by `recompute`."""
    await transaction.lock(["retention-classes"])
    before = (await in_force(transaction.connection)).get(found.id)
    values = asdict(found) | {
        "clients": None if found.clients is None else list(found.clients),
        "revision": await revision(transaction.connection) + 1,
        "reason": reason,
        "updated_at": now,
        "updated_by": actor,
    }
    changed = await transaction.execute(
        update(retention_classes).where(retention_classes.c.id == found.id).values(**values)
    )
    if not changed.rowcount:
        await transaction.execute(insert(retention_classes).values(**values))
    data = {"class": found.id, "reason": reason, "before": before and asdict(before), "after": asdict(found)}
    transaction.journal(Entry(now, "retention_class.changed", actor, data=data))
    return before


async def preview(database: Database, found: RetentionClass) -> Effect:
    """What saving the class would do to the dates of what is kept; nothing is written."""
    seen = extended = longer = uncovered = 0
    dates: list[date] = []
    async with database.read() as connection:
        classes = await in_force(connection) | {found.id: found}
        async for rows in _pages(connection, _subjects().where(recordings.c.state.in_(KEPT))):
            for row in rows:
                seen += 1
                due = await _due(connection, row, classes.values())
                if due is None:
                    uncovered += 1
                elif row.delete_after is None or due.delete_after > row.delete_after:
                    extended += 1
                    dates.append(due.delete_after)
                elif due.delete_after < row.delete_after:
                    longer += 1
            dates = [min(dates), max(dates)] if dates else []
    return Effect(seen, extended, longer, uncovered, min(dates, default=None), max(dates, default=None))


async def _pages(connection: AsyncConnection, statement: Select[Any]) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows in pages by id, so that other tasks run in between."""
    last = ""
    while True:
        page = statement.where(recordings.c.id > last).order_by(recordings.c.id).limit(BATCH)
        rows = (await connection.execute(page)).all()
        if not rows:
            return
        yield rows
        last = rows[-1].id


async def classify(transaction: Transaction, entry: Entry) -> None:
    """Follow `recording.ready`: the recording gets the date until which it is kept."""
    found = str(entry.data.get("recording_id", ""))
    rows = await transaction.all(_subjects().where(recordings.c.id == found))
    await _write(transaction, rows)


async def recompute(database: Database, limit: int = BATCH) -> int:
    """Date the recordings that the newest change of a class has not reached yet; how many were looked at.

    The store's own locks stay as they were set at intake: they only add to the dates kept here.
    """
    async with database.read() as connection:
        newest = await revision(connection)
        behind = or_(recordings.c.retention_revision.is_(None), recordings.c.retention_revision < newest)
        stale = _subjects().where(recordings.c.state.in_(KEPT), behind).limit(limit)
        if (await connection.execute(stale)).first() is None:
            return 0
    async with database.write() as transaction:
        rows = await transaction.all(stale)
        await _write(transaction, rows)
    return len(rows)


async def due_of(connection: AsyncConnection, recording_id: str) -> Due | None:
    """The date as the classes and the debt's activity have it now, never earlier than the one written down before.

    Raises NotFound.
    """
    row = (await connection.execute(_subjects().where(recordings.c.id == recording_id))).first()
    if row is None:
        raise NotFound(f"there is no recording {recording_id}")
    return extended(row, await _due(connection, row, (await in_force(connection)).values()))


async def write_due(transaction: Transaction, recording_id: str, due: Due) -> None:
    """Keep a date that has moved."""
    values = {"delete_after": due.delete_after, "retention": due.document()}
    await transaction.execute(update(recordings).where(recordings.c.id == recording_id).values(**values))


async def _write(transaction: Transaction, rows: Sequence[Row[Any]]) -> None:
    connection = transaction.connection
    classes, newest = (await in_force(connection)).values(), await revision(connection)
    for row in rows:
        due = extended(row, await _due(connection, row, classes))
        values: dict[str, Any] = {"retention_revision": newest}
        if due is not None:
            values |= {"delete_after": due.delete_after, "retention": due.document()}
        await transaction.execute(update(recordings).where(recordings.c.id == row.id).values(**values))


def extended(row: Row[Any], due: Due | None) -> Due | None:
    """The date of a recording that has one already: it moves later or stays."""
    if row.delete_after is None or (due is not None and due.delete_after >= row.delete_after):
        return due
    before = row.retention or {}
    kept = Due(row.delete_after, before.get("decided_by", ""), tuple(before.get("classes", ())), row.delete_after)
    if before.get("anchored_on"):
        kept = replace(kept, anchored_on=date.fromisoformat(before["anchored_on"]))
    return replace(kept, privacy_max=due.privacy_max) if due is not None else kept


def _subjects() -> Select[Any]:
    """A recording with all that its date depends on."""
    return (
        select(
            recordings.c.id,
            recordings.c.flags,
            recordings.c.leg_ended_at,
            recordings.c.archived_at,
            recordings.c.delete_after,
            recordings.c.retention,
            calls.c.client,
            calls.c.case_id,
            policies.c.packs,
            policies.c.zone,
            decisions.c.facts["packs"].label("packs_then"),
        )
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .outerjoin(policies, policies.c.client == calls.c.client)
        .outerjoin(decisions, decisions.c.id == calls.c.decision_id)
    )


def subject_of(row: Row[Any]) -> Subject:
    """What the date depends on: the packs of the client today and those the call was made under both count.

    A call that seems to have ended long before it was archived ended by a clock that was wrong, or was found late: it
    counts from the later of both.
    """
    ended = max(row.leg_ended_at, (row.archived_at or row.leg_ended_at) - timedelta(days=1))
    packs = [*(row.packs or ()), *(row.packs_then or ())]
    return Subject(
        kind="unanswered" if "unanswered" in (row.flags or ()) else "recording",
        ended_on=ended.astimezone(ZoneInfo(row.zone or HOUSE_ZONE)).date(),
        client=row.client,
        packs=frozenset(pack.partition("@")[0] for pack in packs),
    )


async def _due(connection: AsyncConnection, row: Row[Any], classes: Iterable[RetentionClass]) -> Due | None:
    subject = subject_of(row)
    applying = [found for found in classes if found.covers(subject)]
    activity = None
    if row.case_id and any(found.anchor == "last_activity" for found in applying):
        activity = await last_activity(connection, row.case_id, row.zone or HOUSE_ZONE)
    return delete_after(subject, applying, activity)


async def last_activity(connection: AsyncConnection, case_id: str, zone: str = HOUSE_ZONE) -> date | None:
    """The day of the last contact of any kind, ours or others', on the case or on the account that it is about."""
    accounts = select(contacts.c.account).where(contacts.c.case_id == case_id, contacts.c.account.is_not(None))
    on_the_debt = or_(contacts.c.case_id == case_id, contacts.c.account.in_(accounts))
    latest = await connection.scalar(select(contacts.c.at).where(on_the_debt).order_by(contacts.c.at.desc()).limit(1))
    return latest.astimezone(ZoneInfo(zone)).date() if latest else None


def conflicts(classes: Iterable[RetentionClass]) -> list[dict[str, Any]]:
    """Classes whose privacy maximum is shorter than a minimum that can apply to the same record: for somebody to decide.

    Clients are told apart; packs are not, since a client may be called under any.
    """
    enabled = [found for found in classes if found.enabled]
    return [
        {"class": short.id, "privacy_max_months": short.privacy_max_months, "minimum": long.id, "months": long.months}
        for short in enabled
        for long in enabled
        if short.privacy_max_months and short.privacy_max_months < long.months and short.kind == long.kind
        and (short.clients is None or long.clients is None or set(short.clients) & set(long.clients))
    ]  # fmt: skip
