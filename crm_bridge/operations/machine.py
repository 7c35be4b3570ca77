"""What the doctor sees of the machine: its clock, the keys, the disks and stores, the mail server, the calendars."""

import asyncio
import ctypes
import shutil
import smtplib
import ssl
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import select

from config import clock
from config.database import Database, DatabaseUnavailable
from config.errors import Fault
from config.migrate import SchemaOutdated, require_current
from config.settings import Keys, Mail, Settings
from crm_bridge.clocks import calendars
from crm_bridge.clocks.mail import connected
from crm_bridge.operations.findings import Look, doubtful, well, wrong
from recordings.archive import Archive, Store
from recordings.configured import archive_of
from recordings.health import ENOUGH
from recordings.tables import recordings
from telephony.policy.holiday_calendar import checked_until
from telephony.policy.zones import local_date

UNSYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2)."""
LITTLE = 4
"""Times what is needed at least: with less the disk is worth a warning."""


def clock_look() -> Look:
    """Whether the kernel's clock is being set by somebody."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return doubtful("clock", "this system does not say whether its clock is set", "have it set by NTP")
    if state == UNSYNCHRONISED:
        mend = "have chrony or systemd-timesyncd set it: calling hours are this clock's"
        return doubtful("clock", "nobody sets this machine's clock", mend)
    return well("clock", f"it is set, and says {clock.now().isoformat(timespec='seconds')}")


async def key_looks(settings: Settings, database: Database) -> list[Look]:
    """Whether the keys are there, are the owner's alone, and open the newest recordings."""
    found = [look for path in (settings.keys.master, settings.keys.signing) if (look := _key_file(path))]
    if found:
        return found
    try:
        await require_current(database)
        async with database.read() as connection:
            newest = select(recordings.c.key_id).where(
                recordings.c.key_id.is_not(None), recordings.c.state == "archived"
            )
            wanted = list(await connection.scalars(newest.order_by(recordings.c.id.desc()).limit(200)))
    except (DatabaseUnavailable, SchemaOutdated):
        wanted = []
    return [await asyncio.to_thread(_opens, settings.keys, archive_of(settings), sorted(set(wanted)))]


def _key_file(path: Path) -> Look | None:
    if not path.exists():
        return None  # made on first use
    if path.stat().st_mode & 0o077:
        return wrong("keys", f"{path} may be read by others than its owner", f"chmod 600 {path}")
    return None


def _opens(keys: Keys, archive: Archive, wanted: list[str]) -> Look:
    if not keys.master.exists():
        if wanted or any(keys.group_keys.glob("*.key")):
            return wrong("keys", f"{keys.master} is gone: the archive cannot be read", "bring it back from its backup")
        return well("keys", f"{keys.master} will be made on first use")
    for key_id in wanted:
        if problem := archive.keyring.problem_of(key_id):
            return wrong("keys", problem, "bring the key folder back from its backup (ringfence restore, or by hand)")
    return well("keys", f"the master key is there and opens {len(wanted)} of the newest group keys")


async def store_looks(settings: Settings) -> list[Look]:
    """Spools and archive: there, writable, read back, with room."""
    looks = [await asyncio.to_thread(_spool, pbx.name, pbx.spool_local) for pbx in settings.pbx]
    try:
        stores = archive_of(settings).stores
    except (OSError, Fault) as error:
        return [*looks, wrong("archive", str(error), "correct [archive] in the configuration file")]
    for name, store in stores.items():
        looks.append(await asyncio.to_thread(_store, name, store))
    return looks


def _spool(name: str, folder: Path) -> Look:
    where = f"spool of {name}"
    if not folder.is_dir():
        return wrong(
            where, f"{folder} is not there", "mount the PBX's spool there, or correct spool_local of its [[pbx]]"
        )
    return _room(where, folder) or well(where, f"{folder} is there, with room")


def _store(name: str, store: Store) -> Look:
    try:
        store.probe()
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return wrong(
            name, f"cannot be written: {error.strerror or error}{where}", "mend the disk, the rights or the bucket"
        )
    return _room(name, store.disk) or well(name, "written and read back")


def _room(where: str, folder: Path) -> Look | None:
    usage = shutil.disk_usage(folder)
    least = min(ENOUGH.size, int(usage.total * ENOUGH.share))
    said = f"{usage.free >> 20} MiB are free on the disk of {folder}"
    if usage.free < least:
        return wrong(where, f"{said}; calls stop below {least >> 20} MiB", "make room, or move it to a larger disk")
    if usage.free < least * LITTLE:
        return doubtful(where, said, f"make room: calls stop below {least >> 20} MiB")
    return None


async def mail_look(settings: Mail) -> Look:
    """Whether the mail server takes our log-in; nothing is sent."""
    if settings.host is None:
        return doubtful(
            "mail", "no mail server is set: nobody is mailed about what is late", "set mail.host, or leave it so"
        )
    try:
        said = await asyncio.to_thread(_asked, settings)
    except (OSError, smtplib.SMTPException, ssl.SSLError) as error:
        mend = "correct [mail] in the configuration file, or mend the server"
        return wrong("mail", f"{settings.host}:{settings.port}: {type(error).__name__}: {error}", mend)
    return well("mail", f"{settings.host}:{settings.port} answers {said}")


def _asked(settings: Mail) -> int:
    with connected(settings) as server:
        return int(server.noop()[0])


async def calendar_looks(settings: Settings, database: Database) -> list[Look]:
    """Time zone data, and how far holidays and make-up workdays are known."""
    zone, now = settings.policy.zone, clock.now()
    offset = now.astimezone(ZoneInfo(zone)).strftime("%z")
    looks = [well("time zones", f"tzdata {version('tzdata')}, {zone} is {offset} now")]
    if (checked_until() - local_date(now, zone)).days < 60:
        mend = "bring the service up to date, or enter the days in the working calendar"
        looks.append(
            doubtful("holidays", f"they were compared with what is announced until {checked_until()} only", mend)
        )
    else:
        looks.append(well("holidays", f"known until {checked_until()}"))
    try:
        await require_current(database)
        async with database.read() as connection:
            ending = await calendars.running_out(connection, zone, now)
    except (DatabaseUnavailable, SchemaOutdated):
        return looks
    mend = "enter next year's at /deadlines, or PUT /v1/working-calendar/days/{country}/{day}"
    return looks + [
        doubtful(f"calendar {country}", f"make-up workdays are known until {last} only", mend)
        for country, last in ending.items()
    ]
