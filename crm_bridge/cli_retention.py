"""`ringfence retention …`: delete what is over, or only say what would be."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from config import clock
from config.database import Database
from config.migrate import require_current
from config.settings import Settings, load_settings
from crm_bridge.cases.holds import held_by_case
from recordings.configured import archive_of
from recordings.deletion import Deletion, Report

retention_commands = typer.Typer(no_args_is_help=True, help="How long recordings are kept.")
WORDS = {
    "recording-on-hold": "held by a matter, a complaint or a dispute",
    "kept-until": "to be kept longer, since the debt was worked on",
    "store-locked": "still locked by the store",
    "no-class": "covered by no retention class",
    "not-archived": "gone meanwhile",
}


@retention_commands.callback()
def retention() -> None:
    """How long recordings are kept."""


@retention_commands.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="delete nothing, only count")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the report as JSON")] = False,
    config: Annotated[Path, typer.Option("--config", "-c", help="the configuration file")] = Path("ringfence.toml"),
) -> None:
    """Delete every recording whose retention is over and that nothing holds. Exit 1 when a deletion failed."""
    settings = load_settings(config)
    with Console(stderr=True).status("looking", spinner="line") as status:
        report = asyncio.run(_run(settings, dry_run, status))
    print(json.dumps(asdict(report), indent=2) if as_json else _text(report, dry_run))
    raise typer.Exit(1 if report.failed else 0)


async def _run(settings: Settings, dry_run: bool, status: Status) -> Report:
    database = Database(settings.database.url)
    cache = settings.keys.master.parent / "replay-cache"
    try:
        await require_current(database)
        deletion = Deletion(database=database, archive=archive_of(settings), cache=cache, held_by_case=held_by_case)
        return await deletion.run(
            clock.now(), actor="command line", dry_run=dry_run, progress=lambda report: status.update(_line(report))
        )
    finally:
        await database.close()


def _line(report: Report) -> str:
    return f"{report.looked_at} past their date, {report.deleted} deleted, {sum(report.kept.values())} kept"


def _text(report: Report, dry_run: bool) -> str:
    deleted = "would be deleted" if dry_run else "deleted"
    lines = [
        f"{report.looked_at} recordings are past their date",
        f"{report.deleted} {deleted} ({report.bytes / 1e6:.1f} MB)",
    ]
    lines += [f"{count} kept: {WORDS.get(code, code)}" for code, count in sorted(report.kept.items())]
    lines += [f"failed, taken up again by the next run: {name}: {why}" for name, why in report.failed.items()]
    return "\n".join(lines)
