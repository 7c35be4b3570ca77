"""`ringfence cdr …`: carriers' call records, imported and held against ours."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from config import clock
from config.database import Database
from config.errors import Invalid
from config.migrate import require_current
from config.settings import load_settings
from crm_bridge.carrier import records as carrier_records
from crm_bridge.carrier.records import Ask
from crm_bridge.people.users import User

cdr_commands = typer.Typer(no_args_is_help=True, help="Carriers' call records, held against ours.")


@cdr_commands.callback()
def records() -> None:
    """Keeps `import` a command of its own."""


@cdr_commands.command("import")
def import_file(
    trunk: Annotated[str, typer.Argument(help="the trunk whose carrier wrote the file")],
    file: Annotated[Path, typer.Argument(help="the carrier's file")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="tell what would follow, write nothing")] = False,
    config: Annotated[Path, typer.Option("--config", "-c", help="the configuration file")] = Path("ringfence.toml"),
) -> None:
    """Compare the carrier's file with our calls. Exit 1 when a call is missing on either side, or a row cannot be read."""
    settings = load_settings(config)
    if not file.is_file():
        raise Invalid(f"{file}: is no file that can be read")

    async def run() -> dict[str, Any]:
        database = Database(settings.database.url)
        try:
            await require_current(database)
            ask = Ask(path=file, name=file.name, dry_run=dry_run)
            user = User("command line", "admin")
            return await carrier_records.of(database, settings).run(trunk, ask, user=user, now=clock.now())
        finally:
            await database.close()

    report = asyncio.run(run())
    print("\n".join(told(report)))
    if report["carrier_only"]["count"] or report["ours_only"]["count"] or report["bad_rows"]:
        raise typer.Exit(1)


def told(report: dict[str, Any]) -> list[str]:
    """The report for people to read."""
    rows = report["rows"]
    lines = [
        f"{report['file']['name']}{' (dry run)' if report['dry_run'] else ''}: {rows['used']} records, {rows['bad']} bad rows, "
        f"{rows['left_out']} left out, {report['seen_before']} seen before",
        f"matched {report['matched']}; only the carrier has {report['carrier_only']['count']}; "
        f"only we have {report['ours_only']['count']}; {report['durations']['count']} differ in length",
    ]
    if not report["dry_run"]:
        lines.append(f"{report['attempts_counted']} attempts counted, {report['incidents_opened']} incidents opened")
    lines += [f"warning: {warning}" for warning in report["warnings"]]
    lines += [f"line {bad['line']}: {bad['reason']}" for bad in report["bad_rows"]]
    theirs, ours = report["carrier_only"]["items"], report["ours_only"]["items"]
    lines += [f"line {one['line']}: {one['at'].isoformat()} {one['number']}: we have no such call" for one in theirs]
    lines += [
        f"call {one['call_id']}: {one['at'].isoformat()} {one['number']}: the carrier has no such call" for one in ours
    ]
    return lines
