"""`ringfence doctor|backup|restore` and `ringfence config export|apply`."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from config import clock
from config.database import Database
from config.errors import Invalid
from config.migrate import require_current
from config.settings import load_settings
from crm_bridge.operations.findings import Look, Patient
from telephony.pbx_setup.findings import Severity

Config = Annotated[Path, typer.Option("--config", "-c", help="the configuration file")]
DEFAULT = Path("ringfence.toml")
ACTOR = "command line"
Result = TypeVar("Result")

config_commands = typer.Typer(no_args_is_help=True, help="What admins set, as one file.")


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    config: Config = DEFAULT,
) -> None:
    """Look at everything the service needs; say what is wrong and how to mend it. Exit 1 when something is."""
    from crm_bridge.operations.doctor import examine

    settings = load_settings(config)
    counts: Counter[str] = Counter()

    async def run() -> None:
        database = Database(settings.database.url)
        try:
            async for look in examine(Patient(settings, database, config)):
                counts[look.severity or "ok"] += 1
                print(json.dumps(_document(look), ensure_ascii=False) if as_json else _text(look), flush=True)
        finally:
            await database.close()

    asyncio.run(run())
    if not as_json:
        print(f"{counts['ok']} well, {counts['warning'] + counts['info']} in doubt, {counts['error']} wrong")
    raise typer.Exit(1 if counts["error"] else 0)


def _document(look: Look) -> dict[str, str]:
    return {"result": look.severity or "ok", "where": look.where, "message": look.message, "mend": look.mend}


def _text(look: Look) -> str:
    said = f"{look.severity or 'ok':<8} {look.where}: {look.message}"
    return f"{said}\n         {look.mend}" if look.severity in (Severity.ERROR, Severity.WARNING) else said


def backup(
    target: Annotated[Path, typer.Argument(help="the file to write; there must be none of that name")],
    without_keys: Annotated[bool, typer.Option("--without-keys", help="the keys are kept elsewhere")] = False,
    with_archive: Annotated[
        bool, typer.Option("--with-archive", help="the recordings too, where the archive is a folder")
    ] = False,
    config: Config = DEFAULT,
) -> None:
    """Write one file with all rows, the keys and what the archive holds; the service may run meanwhile."""
    from crm_bridge.app import APIS  # every table is known once the whole service is imported
    from crm_bridge.operations.backup import back_up

    assert APIS
    settings = load_settings(config)
    made = asyncio.run(
        back_up(settings, target, now=clock.now(), with_keys=not without_keys, with_archive=with_archive)
    )
    print(f"{made.path}: {made.rows} rows, {made.keys} keys, {made.objects} recordings, {made.size >> 10} KiB")
    if made.keys:
        print("it holds the keys: keep it where nobody reads it, apart from the archive")


def restore(
    source: Annotated[Path, typer.Argument(help="a file that `ringfence backup` wrote")], config: Config = DEFAULT
) -> None:
    """Bring a backup back into an empty database, compared line by line. Exit 1 when recordings are missing."""
    from crm_bridge.app import APIS
    from crm_bridge.operations.restore import restore as bring_back

    assert APIS
    settings = load_settings(config)
    result = asyncio.run(bring_back(settings, source, now=clock.now()))
    print(f"restored as of {result.made_at}: {result.rows} rows, {result.keys} keys, {result.objects} recordings")
    if result.missing:
        print(f"the archive lacks {len(result.missing)} recordings, the first: {', '.join(result.missing[:5])}")
        raise typer.Exit(1)
    print("everything the rows speak of is there; `ringfence verify --archive` reads all of it")


@config_commands.command("export")
def export(
    target: Annotated[str, typer.Argument(help="the file to write, - for standard output")], config: Config = DEFAULT
) -> None:
    """Write everything that admins set, without secrets, as one JSON file."""
    from crm_bridge.operations import configuration

    async def run(database: Database) -> dict[str, Any]:
        async with database.read() as connection:
            document = await configuration.exported(connection)
        await configuration.note_export(database, document, ACTOR, clock.now())
        return document

    text = json.dumps(_with_database(config, run), ensure_ascii=False, indent=2) + "\n"
    if target == "-":
        print(text, end="")
        return
    try:
        Path(target).write_text(text, "utf-8")
    except OSError as error:
        raise Invalid(f"{target}: cannot be written: {error.strerror}") from error


@config_commands.command("apply")
def apply(
    source: Annotated[str, typer.Argument(help="a file of that form, - for standard input")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would change, change nothing")] = False,
    reason: Annotated[str, typer.Option(help="why, for the journal")] = "",
    config: Config = DEFAULT,
) -> None:
    """Put such a file into force, whole or not at all; doing it again changes nothing."""
    from crm_bridge.operations import configuration
    from crm_bridge.operations.by import By
    from crm_bridge.people.users import User

    document = configuration.read(_text_of(source), source)
    settings = load_settings(config)

    async def run(database: Database) -> list[configuration.Change]:
        pbxs = [pbx.name for pbx in settings.pbx]
        by = By(User(ACTOR, "admin"), clock.now(), reason, settings.policy.zone, pbxs)
        return await configuration.apply(database, document, by, dry_run=dry_run)

    changes = _with_database(config, run)
    for change in changes:
        shown = change.document()
        print(f"{'+' if shown['new'] else '~'} {change.section}/{change.key}")
        for name, (before, after) in shown["fields"].items():
            print(f"    {name}: {_short(before)} -> {_short(after)}")
    print(f"{len(changes)} {'would change' if dry_run else 'changed'}" if changes else "nothing to change")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _text_of(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise Invalid(f"{source}: cannot be read: {why}") from error


def _with_database(config: Path, work: Callable[[Database], Coroutine[Any, Any, Result]]) -> Result:
    settings = load_settings(config)

    async def run() -> Result:
        database = Database(settings.database.url)
        try:
            await require_current(database)
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
