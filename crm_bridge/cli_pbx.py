"""`ringfence pbx …`: what a PBX needs, shown, applied and checked over AMI."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from config.database import Database
from config.errors import NotFound
from config.migrate import require_current
from config.settings import Pbx, Settings, load_settings
from crm_bridge.inbound.check import inbound_elsewhere
from crm_bridge.pbxs.trunks import apply_with_trunks, plan_with_trunks, trunks_of
from telephony.ami import AmiAccount, AmiLink
from telephony.ari import stored_recordings
from telephony.pbx_setup import check as pbx_check
from telephony.pbx_setup import plan as pbx_config
from telephony.pbx_setup.dialplan import dialplan_settings
from telephony.trunking.trunks import endpoints_of

pbx_commands = typer.Typer(no_args_is_help=True, help="What a PBX needs to work with us, over AMI.")
Config = Annotated[Path, typer.Option("--config", "-c", help="the configuration file")]
Name = Annotated[str | None, typer.Argument(help="one PBX; all of them when not given")]
Phones = Annotated[list[str] | None, typer.Option(help="an endpoint to move into our context; may be repeated")]
Inbound = Annotated[
    list[str] | None, typer.Option(help="a trunk endpoint whose incoming calls become ours; may be repeated")
]
Work = Callable[[AmiLink, Settings, Pbx], Coroutine[Any, Any, bool]]


@pbx_commands.command()
def plan(
    name: Name = None, phones: Phones = None, inbound: Inbound = None, config: Config = Path("ringfence.toml")
) -> None:
    """Show what apply would change; nothing is written."""

    async def show(link: AmiLink, settings: Settings, pbx: Pbx) -> bool:
        ours = dialplan_settings(settings, pbx.name)
        found = await pbx_config.plan(link, ours, phones=phones or (), inbound=inbound or ())
        async with _database(settings) as database:
            found = await plan_with_trunks(found, link, await trunks_of(settings, database, pbx.name))
        print(found.text())
        return True

    _on_each(config, name, show)


@pbx_commands.command()
def apply(
    name: Name = None, phones: Phones = None, inbound: Inbound = None, config: Config = Path("ringfence.toml")
) -> None:
    """Bring the PBX to what it should be; doing it again changes nothing."""

    async def carry_out(link: AmiLink, settings: Settings, pbx: Pbx) -> bool:
        ours = dialplan_settings(settings, pbx.name)
        done = await pbx_config.apply(link, ours, phones=phones or (), inbound=inbound or ())
        async with _database(settings) as database:
            done = await apply_with_trunks(done, link, await trunks_of(settings, database, pbx.name), database)
        print(done.text())
        return True

    _on_each(config, name, carry_out)


@pbx_commands.command()
def check(name: Name = None, config: Config = Path("ringfence.toml")) -> None:
    """Say what is missing or wrong and how to mend it. Exit 1 when something is."""

    async def look(link: AmiLink, settings: Settings, pbx: Pbx) -> bool:
        trunks = await _trunks(settings, pbx.name)
        ours = dialplan_settings(settings, pbx.name)
        findings = await pbx_check.check(
            link, ours, spool_local=pbx.spool_local, trunks=trunks, stored=stored_recordings(pbx)
        )
        async with _opened(settings) as database:
            findings += await inbound_elsewhere(database, link, trunks)
        for finding in findings:
            print(f"{finding.severity:<8} {finding.where}: {finding.message}\n         {finding.mend}")
        if not findings:
            print(f"PBX {pbx.name}: nothing is wrong")
        return not any(finding.severity == "error" for finding in findings)

    if not _on_each(config, name, look):
        raise typer.Exit(1)


async def _trunks(settings: Settings, pbx: str) -> list[str]:
    async with _opened(settings) as database, database.read() as connection:
        return await endpoints_of(connection, pbx)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    async with _database(settings) as database:
        await require_current(database)
        yield database


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.database.url)
    try:
        yield database
    finally:
        await database.close()


def _on_each(config: Path, name: str | None, work: Work) -> bool:
    settings = load_settings(config)
    chosen = [pbx for pbx in settings.pbx if name in (None, pbx.name)]
    if not chosen:
        raise NotFound(f"{config}: no [[pbx]] is named {name}" if name else f"{config}: no [[pbx]] is configured")

    async def run() -> bool:
        fine = True
        for pbx in chosen:
            async with linked(pbx) as link:
                fine = await work(link, settings, pbx) and fine
        return fine

    return asyncio.run(run())


@asynccontextmanager
async def linked(pbx: Pbx) -> AsyncIterator[AmiLink]:
    """A link of its own to a PBX, for as long as the block lasts. Raises PbxUnavailable."""
    account = AmiAccount(pbx.name, pbx.host, pbx.port, pbx.username, pbx.secret, pbx.tls)
    link = AmiLink(account, on_event=lambda event: None, on_state=lambda state, reason: None)
    await link.start()
    try:
        await link.connected()
        yield link
    finally:
        await link.close()
