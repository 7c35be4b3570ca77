"""Everything that the service needs, looked at one by one, beside a running service or before its first start."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime

import aiohttp
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from config import clock
from config.database import DatabaseUnavailable
from config.migrate import SchemaOutdated, require_current
from config.settings import Pbx
from crm_bridge.inbound.check import inbound_elsewhere
from crm_bridge.operations import machine
from crm_bridge.operations.findings import Look, Patient, doubtful, well, wrong
from crm_bridge.tables import users
from telephony.ami import AmiAccount, AmiLink, AnswerUnknown, PbxUnavailable
from telephony.ari import stored_recordings
from telephony.pbx_setup import check as pbx_check
from telephony.pbx_setup.dialplan import dialplan_settings
from telephony.pbx_setup.findings import Severity
from telephony.trunking.trunks import endpoints_of

PATIENCE = 15.0
"""Seconds for each look that asks somebody else."""
CLOCK_SECONDS = 2.0

Examination = Callable[[Patient], AsyncIterator[Look]]


async def examine(patient: Patient) -> AsyncIterator[Look]:
    """Every look in turn, as it is made. A look that itself fails is a finding, never an exception."""
    for name, look in LOOKS.items():
        try:
            async for found in look(patient):
                yield found
        except DatabaseUnavailable as fault:
            yield wrong(name, fault.detail, "mend the database first, then look again")
        except (OSError, TimeoutError) as error:
            yield wrong(name, f"{type(error).__name__}: {error}", "see what the message names")


async def _database(patient: Patient) -> AsyncIterator[Look]:
    database = patient.database
    try:
        async with asyncio.timeout(PATIENCE), database.read() as connection:
            version = await connection.scalar(
                text("SHOW server_version") if database.is_postgres else text("SELECT sqlite_version()")
            )
            apart = await _apart(connection, database.is_postgres)
    except (DatabaseUnavailable, TimeoutError) as fault:
        why = fault.detail if isinstance(fault, DatabaseUnavailable) else f"no answer within {PATIENCE:g} s"
        yield wrong("database", why, "start it, or correct database.url in the configuration file")
        return
    name = "PostgreSQL" if database.is_postgres else "SQLite"
    yield well("database", f"{name} {version} answers")
    if apart > CLOCK_SECONDS:
        yield wrong(
            "database", f"its clock and ours are {apart:.1f} s apart", "have both machines set their clocks (NTP)"
        )
    try:
        await require_current(database)
        yield well("migrations", "the tables are those of this version")
    except SchemaOutdated as fault:
        yield wrong("migrations", fault.detail, f"ringfence migrate --config {patient.config}")


async def _apart(connection: AsyncConnection, is_postgres: bool) -> float:
    if not is_postgres:
        return 0.0
    theirs: datetime = await connection.scalar(select(func.clock_timestamp())) or clock.now()
    return abs((theirs.astimezone(UTC) - clock.now()).total_seconds())


async def _people(patient: Patient) -> AsyncIterator[Look]:
    async with patient.database.read() as connection:
        with suppress(Exception):
            await require_current(patient.database)
            admins = select(func.count()).select_from(users).where(users.c.role == "admin", users.c.active)
            if not await connection.scalar(admins):
                yield doubtful("people", "there is no admin", "ringfence user add NAME --role admin")


async def _clock(_patient: Patient) -> AsyncIterator[Look]:
    yield machine.clock_look()


async def _keys(patient: Patient) -> AsyncIterator[Look]:
    for found in await machine.key_looks(patient.settings, patient.database):
        yield found


async def _stores(patient: Patient) -> AsyncIterator[Look]:
    for found in await machine.store_looks(patient.settings):
        yield found


async def _mail(patient: Patient) -> AsyncIterator[Look]:
    yield await machine.mail_look(patient.settings.mail)


async def _calendars(patient: Patient) -> AsyncIterator[Look]:
    for found in await machine.calendar_looks(patient.settings, patient.database):
        yield found


async def _gate(patient: Patient) -> AsyncIterator[Look]:
    gate = patient.settings.gate
    host, _, port = gate.advertise.rpartition(":")
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
    except OSError as error:
        mend = "start the service; else correct gate.advertise, or open the way from the PBX to it"
        yield wrong("gate", f"nobody listens at {gate.advertise}, so no customer can be called: {error.strerror}", mend)
        return
    yield well("gate", f"{gate.advertise} is reached")


async def _service(patient: Patient) -> AsyncIterator[Look]:
    server = patient.settings.server
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE)) as http,
            http.get(f"http://{server.host}:{server.port}/readyz") as answer,
        ):
            problems: dict[str, str] = (await answer.json())["problems"]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
        yield doubtful("service", f"it does not answer at {server.host}:{server.port}", "ringfence serve, or its unit")
        return
    for component, problem in problems.items():
        yield wrong(f"service: {component}", problem, "what the running service itself says (/readyz)")
    if not problems:
        yield well("service", "ready: calls can be placed, recorded and kept")


async def _pbxs(patient: Patient) -> AsyncIterator[Look]:
    if not patient.settings.pbx:
        yield wrong("pbx", "no [[pbx]] is configured", "add one to the configuration file: docs/configuration.md")
    for pbx in patient.settings.pbx:
        async for found in _pbx(patient, pbx):
            yield found


async def _pbx(patient: Patient, pbx: Pbx) -> AsyncIterator[Look]:
    where = f"pbx {pbx.name}"
    account = AmiAccount(pbx.name, pbx.host, pbx.port, pbx.username, pbx.secret, pbx.tls)
    link = AmiLink(account, on_event=lambda event: None, on_state=lambda state, reason: None)
    await link.start()
    try:
        async with asyncio.timeout(120):
            await link.connected()
            trunks = await _trunks(patient, pbx)
            ours = dialplan_settings(patient.settings, pbx.name)
            findings = await pbx_check.check(
                link, ours, spool_local=pbx.spool_local, trunks=trunks, stored=stored_recordings(pbx)
            )
            with suppress(DatabaseUnavailable):
                findings += await inbound_elsewhere(patient.database, link, trunks)
    except (PbxUnavailable, AnswerUnknown) as fault:
        yield wrong(where, fault.detail, "start the PBX, or correct host, port, username and secret of its [[pbx]]")
        return
    except TimeoutError:
        yield wrong(where, "it stopped answering", "see what the PBX is busy with, then look again")
        return
    finally:
        await link.close()
    for finding in findings:
        yield Look(f"{where}: {finding.where}", finding.message, finding.severity, finding.mend)
    if not any(finding.severity is Severity.ERROR for finding in findings):
        yield well(where, "link, AMI classes, dialplan, spool and ways out were looked at")


async def _trunks(patient: Patient, pbx: Pbx) -> list[str]:
    with suppress(DatabaseUnavailable, SchemaOutdated):
        await require_current(patient.database)
        async with patient.database.read() as connection:
            return await endpoints_of(connection, pbx.name)
    return []


LOOKS: dict[str, Examination] = {
    "database": _database,
    "people": _people,
    "clock": _clock,
    "keys": _keys,
    "stores": _stores,
    "mail": _mail,
    "calendars": _calendars,
    "gate": _gate,
    "service": _service,
    "pbx": _pbxs,
}
"""What is looked at, in this order."""
