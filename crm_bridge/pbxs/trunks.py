"""The trunks' share of `pbx plan` and `pbx apply`: our PJSIP file as the registry has it, and its include in pjsip.conf."""

from collections.abc import Sequence
from dataclasses import replace

from config import clock
from config.database import Database, DatabaseUnavailable
from config.migrate import SchemaOutdated, require_current
from config.sealing import Seal
from config.settings import Settings
from telephony.ami import AmiLink
from telephony.pbx_setup.plan import Plan
from telephony.trunking import applying, claims, records
from telephony.trunking.desk import PURPOSE
from telephony.trunking.wanted import Managed


async def trunks_of(settings: Settings, database: Database, pbx: str) -> list[Managed]:
    """The trunks of a PBX that are set up by us; none while the database is not there yet."""
    try:
        await require_current(database)
    except (SchemaOutdated, DatabaseUnavailable):
        return []
    async with database.read() as connection:
        return await records.managed_on(connection, pbx, Seal(settings.keys, PURPOSE))


async def plan_with_trunks(plan: Plan, link: AmiLink, trunks: Sequence[Managed]) -> Plan:
    """The plan, and what the trunks change beyond it; secrets hidden."""
    return replace(plan, changes=(*plan.changes, *await applying.plan(link, trunks)))


async def apply_with_trunks(plan: Plan, link: AmiLink, trunks: Sequence[Managed], database: Database) -> Plan:
    """Bring the PBX's trunks to what the registry has, where they are not; the plan that was carried out, all told.

    Raises Conflict while a change of them is under way, and as applying them does.
    """
    pbx, whole = plan.pbx, await plan_with_trunks(plan, link, trunks)
    if len(whole.changes) == len(plan.changes):
        return whole
    async with database.write() as transaction:
        await claims.claim(transaction, pbx, "pbx apply", clock.now())
    try:
        await applying.apply(link, trunks)
    finally:
        async with database.write() as transaction:
            await claims.settle(transaction, pbx)
    return whole
