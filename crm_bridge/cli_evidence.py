"""`ringfence verify`: exit 0 only if everything holds."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from config import clock
from config.database import Database
from config.errors import Invalid
from config.migrate import require_current
from config.settings import Settings, load_settings
from recordings import verify_bundle
from recordings.checkpoints import CheckpointFolder, Signer
from recordings.configured import archive_of
from recordings.custody import Custody
from recordings.verify import LogVerification, Report

SAMPLE = 200
SHOWN = 50


def verify(
    archive: Annotated[
        bool, typer.Option("--archive", help="read every object back, not only a rolling sample")
    ] = False,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="check this bundle alone, offline")] = None,
    sample: Annotated[int, typer.Option(min=0, help="how many objects, those not read for longest")] = SAMPLE,
    checkpoints: Annotated[
        Path | None, typer.Option("--checkpoints", help="a folder of checkpoints copied elsewhere")
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="the configuration file")] = Path("ringfence.toml"),
) -> None:
    """Check log, checkpoints, chain of custody, store and audio. Exit 0 only if everything holds."""
    if bundle is not None:
        raise typer.Exit(_bundle(bundle, checkpoints))
    settings = load_settings(config)
    report = asyncio.run(_everything(settings, None if archive else sample, checkpoints))
    for problem in report.problems[:SHOWN]:
        print(f"WRONG: {problem}")
    if len(report.problems) > SHOWN:
        print(f"... and {report.checked['problems'] - SHOWN} more")
    counts = ", ".join(f"{count} {name}" for name, count in report.checked.items() if name != "problems")
    print(f"{'everything holds' if report.holds else 'NOT everything holds'}: {counts or 'nothing is there yet'}")
    raise typer.Exit(0 if report.holds else 1)


def _bundle(path: Path, checkpoints: Path | None) -> int:
    if not path.is_file():
        raise Invalid(f"{path}: there is no such file")
    arguments = [str(path)]
    if checkpoints is not None:
        arguments += ["--checkpoints", *map(str, CheckpointFolder(checkpoints).files())]
    return verify_bundle.main(arguments)


async def _everything(settings: Settings, sample: int | None, elsewhere: Path | None) -> Report:
    database, report = Database(settings.database.url), Report()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    try:
        await require_current(database)
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            steps = {step: shown.add_task(step, total=None) for step in ("log", "custody", "store")}

            def progress(step: str, done: int, total: int) -> None:
                shown.update(steps[step], completed=done, total=total)

            folder = elsewhere or settings.archive.checkpoints
            await LogVerification(
                database=database,
                signer=Signer(settings.keys.signing),
                folder=CheckpointFolder(folder) if folder else None,
                report=report,
                progress=progress,
            ).run(clock.now())
            custody = Custody(database=database, archive=archive_of(settings), report=report, progress=progress)
            await custody.check_rows(clock.now())
            await custody.check_objects(clock.now(), sample)
    finally:
        await database.close()
    return report
