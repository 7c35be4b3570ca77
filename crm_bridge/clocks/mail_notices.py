"""What is told by e-mail, to whom and in which words: complaints and the deadlines whose rule says so.

A message names the case, the step and the time, and links to the page. It holds nothing of the debtor and nothing of the
complaint's text: mail leaves the house.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from config import clock
from config.database import Transaction
from config.identifiers import new_id
from config.journal import Entry
from config.settings import Mail
from crm_bridge.clocks.duty import roster
from crm_bridge.clocks.tables import outbox
from crm_bridge.tables import users
from crm_bridge.web.translations import translate
from crm_bridge.workers import Reaction
from telephony.policy.zones import zone as zone_of

STALE = timedelta(days=1)
"""What happened longer ago is not told any more: mail that is switched on later does not tell the past."""


@dataclass(frozen=True, slots=True)
class MailNotices:
    """Writes messages into the outbox; `public_url` is where the pages are, None leaves the link out."""

    settings: Mail
    public_url: str | None
    zone: str

    @property
    def subscribers(self) -> Mapping[str, Sequence[Reaction]]:
        """What is told."""
        kinds = ("complaint.opened", "complaint.escalated", "deadline.warning", "deadline.missed", "deadline.escalated")
        return {kind: (self.tell,) for kind in kinds}

    async def tell(self, transaction: Transaction, entry: Entry) -> None:
        """One message to each of those told who have an address."""
        if not entry.data.get("mail") or clock.now() - entry.at > STALE:
            return
        names = entry.data.get("told")
        if names is None:
            names = await _supervisors(transaction, entry)
        wanted = users.c.name.in_(names) & users.c.active & users.c.email.is_not(None)
        statement = select(users.c.name, users.c.email, users.c.language).where(wanted)
        for reader in await transaction.all(statement):
            await self._post(transaction, entry, reader)

    async def _post(self, transaction: Transaction, entry: Entry, reader: Row[Any]) -> None:
        subject, body = self._words(entry, reader.language)
        domain = self.settings.sender.rpartition("@")[2]
        identifier = new_id(entry.at)
        await transaction.insert_once(
            outbox, id=identifier, key=f"{entry.id}:{reader.name}", recipient=reader.name, address=reader.email,
            subject=subject, body=body, message_id=f"<{identifier}@{domain}>", created_at=entry.at, due_at=entry.at,
            attempts=0, state="queued",
        )  # fmt: skip

    def _words(self, entry: Entry, language: str) -> tuple[str, str]:
        data = entry.data
        what = data.get("deadline") or "complaint"
        subject = translate(language, f"mail.{entry.kind}").format(
            what=translate(language, f"clock.{what}"), case=entry.case_id or "-", severity=_severity(language, data)
        )
        lines = [(key, value) for key, value in self._facts(entry, language) if value]
        body = "\n".join(f"{translate(language, f'mail.{key}')}: {value}" for key, value in lines)
        return " ".join(subject.split())[:200], f"{body}\n\n{translate(language, 'mail.foot')}\n"

    def _facts(self, entry: Entry, language: str) -> list[tuple[str, str]]:
        data = entry.data
        due = data.get("due_at")
        step = data.get("to") or data.get("step")
        return [
            ("case", entry.case_id or ""),
            ("client", entry.client or ""),
            ("severity", _severity(language, data)),
            ("step", _step(language, step)),
            ("due", self._local(datetime.fromisoformat(due)) if due else ""),
            ("at", self._local(entry.at)),
            ("note", (language == "zh" and data.get("note_zh")) or data.get("note") or ""),
            ("link", self._link(data)),
        ]

    def _local(self, at: datetime) -> str:
        here = at.astimezone(zone_of(self.zone))
        return f"{here:%Y-%m-%d %H:%M} ({self.zone})"

    def _link(self, data: Mapping[str, Any]) -> str:
        if self.public_url is None:
            return ""
        complaint = data.get("complaint_id")
        return f"{self.public_url.rstrip('/')}{f'/supervisor/complaints/{complaint}' if complaint else '/deadlines'}"


def _severity(language: str, data: Mapping[str, Any]) -> str:
    severity = data.get("severity") or (
        data.get("text") if str(data.get("deadline")).startswith("complaint-") else None
    )
    return translate(language, f"complaint.severity.{severity}") if severity else ""


def _step(language: str, step: str | None) -> str:
    known = ("collector", "supervisor", "manager", "company", "answer")
    return translate(language, f"complaint.stage.{step}") if step in known else step or ""


async def _supervisors(transaction: Transaction, entry: Entry) -> Sequence[str]:
    """Who is told of a complaint just opened: the supervisors of the collector's team."""
    people = await roster(transaction.connection, [entry.agent] if entry.agent else [])
    return people.role("supervisor", entry.client, people.team_of(entry.agent)).people
