"""Legs that leave past the gate: what the watch on the trunks must know of the desk, and the alarm that it raises."""

from dataclasses import dataclass, replace

from sqlalchemy import select

from config.database import Database, Transaction
from config.journal import Entry
from crm_bridge.tables import users
from recordings.incidents import open_incident
from telephony.tables import trunks
from telephony.trunking.stray_calls import NO_TICKET


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Which PJSIP endpoints are trunks by our registry, and which are people's phones."""

    database: Database

    async def __call__(self, pbx: str) -> tuple[frozenset[str], frozenset[str]]:
        """Those of every trunk of that PBX, also one that is switched off; and every user's extension."""
        async with self.database.read() as connection:
            ours = await connection.scalars(select(trunks.c.endpoint).where(trunks.c.pbx == pbx))
            phones = await connection.scalars(select(users.c.extension).where(users.c.extension.is_not(None)))
            return frozenset(ours), frozenset(phones)


async def alarm_no_ticket(transaction: Transaction, entry: Entry) -> None:
    """A subscriber to `call.violation`: one open incident a trunk, however many legs; it is closed by who found out."""
    if entry.data.get("violation") != NO_TICKET:
        return
    told = {key: entry.data.get(key) for key in ("pbx", "trunk", "dialled", "dialled_by", "channel")}
    subject = f"{told['pbx']}/{told['trunk']}"
    await open_incident(transaction, entry.at, "no-ticket", subject, told, replace(entry, actor="system"))
