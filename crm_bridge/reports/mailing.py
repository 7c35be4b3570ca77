"""To whom a report of a period is mailed, as data per client, and the mail itself: figures and a link, nothing of a debtor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.database import Transaction
from config.errors import Invalid
from config.identifiers import new_id
from config.journal import Entry
from config.settings import Mail
from crm_bridge.clocks.duty import roster
from crm_bridge.clocks.mail_notices import STALE
from crm_bridge.clocks.tables import outbox
from crm_bridge.people import scope
from crm_bridge.people.users import EMAIL, NAME, User
from crm_bridge.reports.tables import report_mailings
from crm_bridge.tables import users
from crm_bridge.web.translations import translate
from crm_bridge.workers import Reaction
from telephony.policy.zones import local_date

ALL_CLIENTS = ""
RATES = frozenset({"reviewed_rate", "wanted_rate", "connect_rate", "on_time_rate", "answers_in_time_rate"})


class Mailing(BaseModel):
    """Users by name, and addresses of people who are none; both get figures and a link."""

    model_config = ConfigDict(extra="forbid")

    people: Annotated[list[Annotated[str, Field(pattern=NAME)]], Field(max_length=50)] = []
    addresses: Annotated[list[Annotated[str, Field(pattern=EMAIL, max_length=254)]], Field(max_length=20)] = []
    language: Literal["en", "zh"] = Field("zh", description="to those addresses; a user has a language of their own")
    enabled: bool = True


async def saved(connection: AsyncConnection, user: User) -> list[Any]:
    """What was set: of everybody and of the clients the user may see."""
    column = report_mailings.c.client
    mine = (column == ALL_CLIENTS) | scope.clients_seen_by(user, column)
    order = (report_mailings.c.report, report_mailings.c.client)
    return list((await connection.execute(select(report_mailings).where(mine).order_by(*order))).all())


async def put(
    transaction: Transaction, report: str, client: str, given: Mailing, *, reason: str, user: User, now: datetime
) -> None:
    """Set to whom a client's report is mailed, or with "" the one on all clients. Raises Forbidden, Invalid (no such user)."""
    if client or user.clients:
        scope.require_client(user, client)
    here = set(await transaction.connection.scalars(select(users.c.name).where(users.c.active)))
    if gone := sorted(set(given.people) - here):
        message = f"there is no active user {', '.join(gone)}"
        raise Invalid(f"people: {message}", [{"field": "people", "message": message}])
    await transaction.lock([f"report-mailing:{report}:{client}"])
    mine = (report_mailings.c.report == report) & (report_mailings.c.client == client)
    before = await transaction.first(select(report_mailings).where(mine))
    values = given.model_dump(mode="json")
    stamped = {**values, "updated_at": now, "updated_by": user.name}
    if not await transaction.insert_once(report_mailings, report=report, client=client, **stamped):
        await transaction.execute(update(report_mailings).where(mine).values(**stamped))
    known = {name: before._mapping[name] for name in values} if before is not None else None
    data = {"report": report, "before": known, "after": values, "reason": reason}
    transaction.journal(Entry(now, "report.mailing_changed", user.name, client or None, data=data))


@dataclass(frozen=True, slots=True)
class ReportMail:
    """Writes a message on each report that was made into the outbox. `public_url` is where the pages are."""

    settings: Mail
    public_url: str | None
    zone: str

    @property
    def subscribers(self) -> Mapping[str, Sequence[Reaction]]:
        """What it follows."""
        return {"report.made": (self.tell,)}

    async def tell(self, transaction: Transaction, entry: Entry) -> None:
        """One message to each who is named; of the report on all clients, where nobody is named, to the company."""
        if clock.now() - entry.at > STALE:
            return
        for recipient, address, language in await self._readers(transaction, entry):
            subject, body = self._words(entry, language)
            identifier = new_id(entry.at)
            domain = self.settings.sender.rpartition("@")[2]
            await transaction.insert_once(
                outbox, id=identifier, key=f"{entry.id}:{address}"[:255], recipient=recipient[:128], address=address,
                subject=subject, body=body, message_id=f"<{identifier}@{domain}>", created_at=entry.at, due_at=entry.at,
                attempts=0, state="queued",
            )  # fmt: skip

    async def _readers(self, transaction: Transaction, entry: Entry) -> list[tuple[str, str, str]]:
        """Name, address and language. Of those named who have left the company is told instead."""
        columns = report_mailings.c
        mine = (columns.report == entry.data["report"]) & (columns.client == (entry.client or ALL_CLIENTS))
        given = await transaction.first(select(report_mailings).where(mine))
        if given is not None and not given.enabled:
            return []
        people = await roster(transaction.connection, given.people if given is not None else [])
        names: Sequence[str] = ()
        if given is not None and given.people:
            names = people.named(given.people, "company", entry.client, None).people
        elif given is None and entry.client is None:
            names = people.role("company", None, None).people
        wanted = users.c.name.in_(names) & users.c.active & users.c.email.is_not(None)
        rows = await transaction.all(select(users.c.name, users.c.email, users.c.language).where(wanted))
        found = [(row.name, row.email, row.language) for row in rows]
        known = {address for _, address, _ in found}
        outside = [] if given is None else [one for one in given.addresses if one not in known]
        return found + [(address, address, given.language) for address in outside if given is not None]

    def _words(self, entry: Entry, language: str) -> tuple[str, str]:
        data = entry.data

        def t(key: str) -> str:
            return translate(language, key)

        title = f"{t('period.name.' + data['report'])} {data['period']}"
        first = local_date(datetime.fromisoformat(data["from"]), self.zone)
        last = local_date(datetime.fromisoformat(data["until"]), self.zone) - timedelta(days=1)
        whose = entry.client or t("report.any_client")
        lines = [f"{t('mail.client')}: {whose}", f"{t('mail.period')}: {first} – {last} ({self.zone})", ""]
        lines += [f"{t('report.column.' + name)}: {_figure(name, value)}" for name, value in data["figures"].items()]
        if self.public_url is not None:
            link = f"{self.public_url.rstrip('/')}/supervisor/reports?kept={data['report_id']}"
            lines += ["", f"{t('mail.link')}: {link}"]
        subject = " ".join(f"{title}: {whose}".split())[:200]
        return subject, "\n".join(lines) + f"\n\n{t('mail.foot')}\n"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if name in RATES else f"{value:g}"
