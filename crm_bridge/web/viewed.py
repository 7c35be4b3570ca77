"""Views of personal data: who opened which case, and who searched by what, are in the journal; what was typed is not."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from aiohttp import web
from sqlalchemy import select

from config import clock
from config.journal import Entry, journal
from crm_bridge.web import keys

AGAIN = timedelta(minutes=10)
"""Looking at the same case again within this time is the same look: the desk asks for it whenever something changes."""


async def note_case(request: web.Request, case: dict[str, Any]) -> None:
    """Journal that the user saw this case. A CRM's server shows it to nobody by itself."""
    user, now, database = request[keys.USER], clock.now(), request.app[keys.DATABASE]
    if user.role == "crm":
        return
    mine = (journal.c.case_id == case["id"], journal.c.kind == "case.viewed", journal.c.actor == user.name)
    async with database.read() as connection:
        if await connection.scalar(select(journal.c.id).where(*mine, journal.c.at > now - AGAIN).limit(1)) is not None:
            return
    async with database.write() as transaction:
        transaction.journal(Entry(now, "case.viewed", user.name, case["client"], case_id=case["id"]))


async def note_search(request: web.Request, by: Sequence[str], found: int) -> None:
    """Journal that the user searched for somebody by these things, never what for."""
    user = request[keys.USER]
    if user.role == "crm" or not by:
        return
    async with request.app[keys.DATABASE].write() as transaction:
        data = {"by": list(by), "found": found}
        transaction.journal(Entry(clock.now(), "case.searched", user.name, data=data))
