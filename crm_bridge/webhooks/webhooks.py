"""Webhooks: who asked for which events, with which secret, and the destination that each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

from config.database import Database, Transaction
from config.errors import Invalid, NotFound
from config.identifiers import new_id
from config.sealing import Seal, SealBroken
from config.settings import Desk
from crm_bridge.outbox import registry
from crm_bridge.outbox.destination import Answer, Item, Refused
from crm_bridge.outbox.tables import destinations
from crm_bridge.people.masking import Redaction
from crm_bridge.people.users import User
from crm_bridge.webhooks import signing
from crm_bridge.webhooks.guard import Guard
from crm_bridge.webhooks.sending import Sender
from crm_bridge.webhooks.tables import webhooks

KIND = "webhook"
PING = "webhook.ping"


@dataclass(frozen=True, slots=True)
class Webhook:
    """The destination: signs, masks and posts."""

    id: str
    url: str
    secrets: tuple[tuple[str, datetime | None], ...]  # each with until when it signs
    reader: User
    desk: Desk
    sender: Sender

    async def deliver(self, item: Item, now: datetime) -> Answer:
        """POST it once. The receiver knows a repeated one by its `webhook-id`."""
        data = Redaction.of(self.reader, self.desk).document(item.payload, item.case_id)
        body = signing.message(item.kind, item.occurred_at, data)
        signing_now = [secret for secret, until in self.secrets if until is None or now < until]
        headers = signing.headers(item.id, now, body, signing_now)
        return await self.sender.post(self.url, body.encode(), headers, now)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Keeps them and opens them."""

    database: Database
    seal: Seal
    sender: Sender
    desk: Desk

    @property
    def guard(self) -> Guard:
        """Where none may be sent."""
        return self.sender.guard

    async def create(
        self, transaction: Transaction, given: Mapping[str, Any], *, actor: str, now: datetime
    ) -> tuple[str, str]:
        """Of url, name, events, clients and shown_as: its id, and its secret, which is told this once.

        Raises Invalid: it may not be sent there.
        """
        url = given["url"]
        self._require(url)
        name, heard = given["name"] or URL(url).host or url, {key: given[key] for key in ("events", "clients")}
        identifier = await registry.add(transaction, KIND, name, **heard, actor=actor, now=now)
        secret = signing.new_secret()
        row = {"id": identifier, "url": url, "shown_as": given["shown_as"]}
        await transaction.execute(insert(webhooks).values(**row, secret=self.seal.close(secret, identifier)))
        return identifier, secret

    async def change(
        self, transaction: Transaction, webhook_id: str, given: dict[str, Any], *, actor: str, now: datetime
    ) -> None:
        """Set url, shown_as, name, events, clients; what is not given stays. Raises NotFound, Invalid."""
        before = await find(transaction.connection, webhook_id)
        if "url" in given:
            self._require(given["url"])
        own = {key: given[key] for key in ("url", "shown_as") if key in given}
        if own:
            await transaction.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(**own))
        shared = {key: given[key] for key in ("name", "events", "clients") if key in given}
        told = {"before": {key: before._mapping[key] for key in given}, "after": given}
        await registry.change(transaction, webhook_id, actor=actor, now=now, told=told, **shared)

    async def rotate(
        self, transaction: Transaction, webhook_id: str, overlap: timedelta, *, actor: str, now: datetime
    ) -> str:
        """The new secret, told this once; the old one goes on signing beside it for `overlap`. Raises NotFound."""
        row = await find(transaction.connection, webhook_id)
        secret = signing.new_secret()
        values = {"secret": self.seal.close(secret, webhook_id), "old_secret": row.secret, "old_until": now + overlap}
        await transaction.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(**values))
        told = {"secret": "rotated", "old_until": (now + overlap).isoformat()}
        await registry.change(transaction, webhook_id, actor=actor, now=now, told=told)
        return secret

    async def open(self, row: Row[Any]) -> Webhook:
        """The destination of a row of `outbox_destinations`. Raises NotFound, SealBroken."""
        async with self.database.read() as connection:
            found = await find(connection, row.id)
        secrets: list[tuple[str, datetime | None]] = [(self.seal.open(found.secret, row.id), None)]
        if found.old_secret is not None:
            secrets.append((self.seal.open(found.old_secret, row.id), found.old_until))
        reader = User(name=KIND, role=found.shown_as)
        return Webhook(row.id, found.url, tuple(secrets), reader, self.desk, self.sender)

    async def ping(self, row: Row[Any], now: datetime) -> Answer:
        """Send a test message now, whether or not the webhook is on."""
        data = {"webhook_id": row.id, "message": "A test message: nothing has happened."}
        item = Item(new_id(now), row.id, PING, None, data, now)
        try:
            webhook = await self.open(row)
        except SealBroken as error:
            return Refused(error.detail)
        return await webhook.deliver(item, now)

    def _require(self, url: str) -> None:
        fault = self.guard.fault_of(url)
        if fault is not None:
            raise Invalid(f"url {fault}", [{"field": "url", "message": fault}])


def _joined() -> Any:
    own = [column for column in webhooks.c if column.name != "id"]
    return select(destinations, *own).join(webhooks, webhooks.c.id == destinations.c.id)


async def find(connection: AsyncConnection, webhook_id: str, user: User | None = None) -> Row[Any]:
    """A webhook with its destination's columns. Raises NotFound, also for one that is not for the user to see."""
    live = (destinations.c.id == webhook_id) & (destinations.c.state != "deleted")
    row = (await connection.execute(_joined().where(live))).first()
    if row is None or not registry.seen_by(user, row):
        raise NotFound(f"there is no webhook {webhook_id}")
    found: Row[Any] = row
    return found


async def listing(connection: AsyncConnection, user: User) -> Sequence[Row[Any]]:
    """The webhooks that the user may see, oldest first."""
    wanted = _joined().where(destinations.c.state != "deleted").order_by(destinations.c.id)
    return [row for row in (await connection.execute(wanted)).all() if registry.seen_by(user, row)]
