"""One change of a PBX's trunk file at a time, across processes; and what a process that died in the middle left is found."""

from datetime import datetime, timedelta

from sqlalchemy import select, update

from config.database import Database, Transaction
from config.errors import Conflict
from telephony.trunking.tables import trunk_files

LONGEST = timedelta(minutes=3)
"""Reload, proof, try-out and the way back end well before; a claim older than this is nobody's any more."""


async def claim(transaction: Transaction, pbx: str, process: str, now: datetime) -> None:
    """Take the PBX's file for a change. Raises Conflict while another one is under way, or is still being taken back."""
    await transaction.lock([f"trunk-file:{pbx}"])
    await transaction.insert_once(trunk_files, pbx=pbx, changing_since=None, changing_by=None)
    free = update(trunk_files).where(trunk_files.c.pbx == pbx, trunk_files.c.changing_since.is_(None))
    if not (await transaction.execute(free.values(changing_since=now, changing_by=process))).rowcount:
        raise Conflict(f"another change of the trunks of PBX {pbx} is under way; try again in a moment")


async def settle(transaction: Transaction, pbx: str) -> None:
    """The PBX's file is what the registry says."""
    mine = update(trunk_files).where(trunk_files.c.pbx == pbx)
    await transaction.execute(mine.values(changing_since=None, changing_by=None))


async def abandon(transaction: Transaction, pbx: str) -> None:
    """The change came to no end: the file may be anything, and is to be written anew."""
    await transaction.execute(update(trunk_files).where(trunk_files.c.pbx == pbx).values(changing_by=None))


async def is_left_over(database: Database, pbx: str, process: str, now: datetime) -> bool:
    """Whether a change came to no end: given up, or claimed by a process that is gone (on SQLite there is but one)."""
    async with database.read() as connection:
        wanted = select(trunk_files).where(trunk_files.c.pbx == pbx, trunk_files.c.changing_since.is_not(None))
        row = (await connection.execute(wanted)).first()
    if row is None:
        return False
    foreign = row.changing_by != process and not database.is_postgres
    return row.changing_by is None or foreign or now - row.changing_since > LONGEST
