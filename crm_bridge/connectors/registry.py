"""The connectors that there are: kept beside their rows in the outbox, opened for notes and for pulls, their tokens sealed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import Conflict, Invalid, NotFound
from config.journal import Entry
from config.sealing import Seal
from crm_bridge.connectors.asking import Asker
from crm_bridge.connectors.mapping import TrytonMapping
from crm_bridge.connectors.tables import connectors, sent_notes
from crm_bridge.connectors.tryton import Tryton
from crm_bridge.connectors.tryton_notes import TrytonNotes
from crm_bridge.outbox import registry
from crm_bridge.outbox.destination import Destination
from crm_bridge.outbox.tables import destinations
from crm_bridge.people import scope
from crm_bridge.people.users import User

KIND = "tryton"
TOLD = (registry.NOTE, "complaint.opened", "complaint.closed")
"""What becomes a note at the CRM."""
KEEP_NOTES = timedelta(days=400)
_NAMES = ("name", "state", "reason", "revision", "created_at", "updated_at", "delivered_at", "last_error")
_COLUMNS = tuple(destinations.c[name] for name in _NAMES)


@dataclass(frozen=True, slots=True)
class Connectors:
    """Keeps them and opens them. `zone` is where the times in notes are told for, `region` whose numbers are short ones."""

    database: Database
    seal: Seal
    asker: Asker
    zone: str
    region: str
    clock: Callable[[], datetime]

    # ---- opened

    def crm(self, row: Row[Any]) -> Tryton:
        """The CRM of a connector's row. Raises SealBroken."""
        return Tryton(self.asker, row.url, row.database, self.seal.open(row.token, row.id))

    async def open_destination(self, row: Row[Any]) -> Destination:
        """The destination of a row of `outbox_destinations` of the kind `tryton`. Raises NotFound, SealBroken."""
        async with self.database.read() as connection:
            found = (await connection.execute(select(connectors).where(connectors.c.id == row.id))).first()
        if found is None:
            raise NotFound(f"there is no connector {row.id}")
        mapping = TrytonMapping.model_validate(found.mapping)
        return TrytonNotes(found.id, self.database, self.crm(found), mapping, self.zone)

    # ---- kept

    async def create(self, transaction: Transaction, given: dict[str, Any], *, user: User, now: datetime) -> str:
        """A new one, on from now, its first pull due at once if it has a schedule: its id. Raises Invalid, Forbidden."""
        self._require(given["url"])
        scope.require_client(user, given["client"])
        identifier = await registry.add(
            transaction, KIND, given["name"], events=TOLD, clients=(given["client"],), actor=user.name, now=now
        )
        row = {name: given[name] for name in ("kind", "url", "database", "client", "mapping", "minutes")}
        row |= {"id": identifier, "token": self.seal.close(given["token"], identifier), "attempts": 0}
        row["due_at"] = now if given["minutes"] else None
        await transaction.execute(insert(connectors).values(**row))
        if not given["enabled"]:
            await registry.switch(transaction, identifier, False, None, actor=user.name, now=now)
        return identifier

    async def change(
        self, transaction: Transaction, connector_id: str, given: dict[str, Any], *, user: User, now: datetime
    ) -> None:
        """Set what is given. Another mapping has everything read again; another CRM needs its token anew."""
        row = await find(transaction.connection, connector_id, user)
        if given.get("url", row.url) != row.url:
            self._require(given["url"])
            if "token" not in given:
                message = "is needed with another URL: the old one is not sent to a new place"
                raise Invalid(f"token: {message}", [{"field": "token", "message": message}])
        settings = {name: value for name, value in given.items() if name in ("url", "database", "mapping", "minutes")}
        if "token" in given:
            settings["token"] = self.seal.close(given["token"], row.id)
        if {"url", "database", "mapping"} & {name for name, value in settings.items() if value != row._mapping[name]}:
            settings |= {"full_at": None, "run": None}
        if settings:
            minutes = settings.get("minutes", row.minutes)
            settings |= {"attempts": row.attempts + 1, "due_at": now if minutes else None}
            await transaction.execute(update(connectors).where(connectors.c.id == row.id).values(**settings))
        named = {"name": given["name"]} if "name" in given else {}
        told = {"changed": sorted(given), **named}
        await registry.change(transaction, row.id, actor=user.name, now=now, told=told, **named)
        if "enabled" in given and given["enabled"] != (row.state == "on"):
            await self.switch(transaction, row, given["enabled"], user=user, now=now)

    async def switch(self, transaction: Transaction, row: Row[Any], on: bool, *, user: User, now: datetime) -> None:
        """On: what waits is told, and a scheduled pull is made. Off: neither."""
        await registry.switch(transaction, row.id, on, None if on else "switched off", actor=user.name, now=now)
        due = {"due_at": now if row.minutes else None, "run": None, "attempts": row.attempts + 2}
        await transaction.execute(update(connectors).where(connectors.c.id == row.id).values(**due))

    async def remove(self, transaction: Transaction, connector_id: str, *, user: User, now: datetime) -> None:
        """No more pulls and notes. Its cases stay, and so does what is known of them; the token is forgotten."""
        row = await find(transaction.connection, connector_id, user)
        await registry.remove(transaction, row.id, actor=user.name, now=now)
        gone = {"token": self.seal.close("", row.id), "due_at": None, "run": None, "attempts": row.attempts + 1}
        await transaction.execute(update(connectors).where(connectors.c.id == row.id).values(**gone))

    async def ask_pull(
        self,
        transaction: Transaction,
        connector_id: str,
        *,
        full: bool,
        accept_removed: bool,
        user: User,
        now: datetime,
    ) -> None:
        """Have a pull made now, in place of one that is under way. Raises Conflict: it is switched off."""
        row = await find(transaction.connection, connector_id, user)
        if row.state != "on":
            raise Conflict(f"the connector is {row.state}: switch it on first")
        run = {"phase": "changed", "full": full, "accept_removed": accept_removed, "asked": True}
        asked = {"run": run, "due_at": now, "attempts": row.attempts + 1}
        await transaction.execute(update(connectors).where(connectors.c.id == row.id).values(**asked))
        data = {"connector_id": row.id, "full": full, "accept_removed": accept_removed}
        transaction.journal(Entry(now, "connector.pull_asked", user.name, row.client, data=data))

    def _require(self, url: str) -> None:
        fault = self.asker.guard.fault_of(url)
        if fault is not None:
            raise Invalid(f"url: {fault}", [{"field": "url", "message": fault}])


async def forget_notes(database: Database, now: datetime) -> None:
    """Notes whose items the outbox has forgotten long ago are corrected no more."""
    async with database.write() as transaction:
        await transaction.execute(delete(sent_notes).where(sent_notes.c.sent_at < now - KEEP_NOTES))


async def find(connection: AsyncConnection, connector_id: str, user: User) -> Row[Any]:
    """A connector with its row in the outbox. Raises NotFound."""
    mine = scope.clients_seen_by(user, connectors.c.client)
    there = (connectors.c.id == connector_id) & (destinations.c.state != "deleted")
    row = (await connection.execute(_joined().where(there, mine))).first()
    if row is None:
        raise NotFound(f"there is no connector {connector_id}")
    return row


async def listing(connection: AsyncConnection, user: User, after: str, limit: int) -> Sequence[Row[Any]]:
    """The user's, oldest first, those after the id `after`."""
    wanted = [scope.clients_seen_by(user, connectors.c.client), destinations.c.state != "deleted"]
    statement = _joined().where(*wanted, connectors.c.id > after).order_by(connectors.c.id).limit(limit)
    found: Sequence[Row[Any]] = (await connection.execute(statement)).all()
    return found


def _joined() -> Any:
    return select(connectors, *_COLUMNS).join(destinations, destinations.c.id == connectors.c.id)
