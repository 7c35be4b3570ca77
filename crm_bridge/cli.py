"""The `ringfence` command. Bad input is one line on stderr that names the file, key or field and what it must be."""

import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from config import clock
from config.database import Database
from config.errors import Fault, Invalid
from config.migrate import upgrade
from config.settings import Settings, load_settings
from crm_bridge import log, serving
from crm_bridge.cli_cdr import cdr_commands
from crm_bridge.cli_evidence import verify
from crm_bridge.cli_operations import backup, config_commands, doctor, restore
from crm_bridge.cli_pbx import pbx_commands
from crm_bridge.cli_retention import retention_commands
from crm_bridge.people import credentials, users
from telephony.policy.engine import evaluate_document
from telephony.policy.facts_text import parse_facts
from telephony.policy.packs import listing

DEFAULT_CONFIG = Path("ringfence.toml")
Result = TypeVar("Result")
Config = Annotated[Path, typer.Option("--config", "-c", help="the configuration file")]

cli = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__, add_completion=False)
user_commands = typer.Typer(no_args_is_help=True, help="People and servers that may log in.")
token_commands = typer.Typer(no_args_is_help=True, help="Bearer tokens for the API.")
policy_commands = typer.Typer(no_args_is_help=True, help="The calling rules.")
cli.add_typer(user_commands, name="user")
cli.add_typer(token_commands, name="token")
cli.add_typer(policy_commands, name="policy")
cli.add_typer(pbx_commands, name="pbx")
cli.add_typer(cdr_commands, name="cdr")
cli.add_typer(config_commands, name="config")
cli.command("doctor")(doctor)
cli.command("backup")(backup)
cli.command("restore")(restore)
cli.command("verify")(verify)
cli.add_typer(retention_commands, name="retention")


@cli.callback()
def quietly() -> None:
    """Commands print; only the service logs."""
    log.quiet()


@cli.command()
def serve(config: Config = DEFAULT_CONFIG) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    settings = load_settings(config)
    log.configure()
    asyncio.run(serving.serve(settings))


@cli.command()
def migrate(config: Config = DEFAULT_CONFIG) -> None:
    """Bring the database to this version."""

    async def run(database: Database) -> None:
        await upgrade(database)

    _with_database(config, run)
    print("the database is at this version")


@cli.command("check-config")
def check_config(config: Config = DEFAULT_CONFIG) -> None:
    """Read the configuration and say what is wrong with it."""
    settings = load_settings(config)
    print(f"{config} is in order: {len(settings.pbx)} PBX, {settings.database.url.split(':')[0]} database")


@cli.command()
def demo(once: Annotated[bool, typer.Option("--once", help="stop after the call")] = False) -> None:
    """Start a PBX, a world of phones and carriers and the service, place one real call, then serve the pages."""
    from crm_bridge.demo.run import run_demo

    log.configure(Path("var/demo.log"))
    raise typer.Exit(asyncio.run(run_demo(once=once)))


@cli.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="which, or a family; all when none is named")] = None,
) -> None:
    """Run benchmarks beside their baselines. They live in the source checkout, and run from there."""
    known = sorted(path.stem for path in Path("bench").glob("*.py") if "async def main()" in path.read_text())
    wanted = {name: [one for one in known if f"{one}_".startswith(f"{name}_")] for name in names or known}
    if not known or not all(wanted.values()):
        raise Invalid(f"the benchmarks of this checkout are: {', '.join(known) or 'none, run this in the checkout'}")
    for name in (one for family in wanted.values() for one in family):
        print(f"# {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)


@user_commands.command("add")
def user_add(
    name: str,
    role: Annotated[str, typer.Option(help=", ".join(users.ROLES))],
    extension: Annotated[str | None, typer.Option(help="the user's phone")] = None,
    pbx: Annotated[str | None, typer.Option(help="the PBX of that phone, where there are several")] = None,
    team: Annotated[str | None, typer.Option(help="limits a collector or supervisor to this team's cases")] = None,
    client: Annotated[list[str] | None, typer.Option(help="limits the user to this client; may be repeated")] = None,
    language: Annotated[str, typer.Option(help="zh or en")] = "zh",
    password: Annotated[str | None, typer.Option(help="chosen and printed when not given")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Create a user; prints the password once when it was chosen here."""
    chosen = password or secrets.token_urlsafe(12)
    fields = {"extension": extension, "pbx": pbx, "team": team, "clients": client or [], "language": language}
    given = {key: value for key, value in fields.items() if value is not None}
    new = users.read_new({"name": name, "role": role, "password": chosen, **given})

    async def run(database: Database) -> None:
        async with database.write() as transaction:
            await users.add_user(transaction, new, actor="command line", now=clock.now())

    _with_database(config, run)
    print(f"user {name} ({role}) added" + ("" if password else f", password: {chosen}"))


@token_commands.command("create")
def token_create(
    user: Annotated[str, typer.Option(help="whose rights the token carries")],
    label: Annotated[str, typer.Option(help="what it is for")] = "command line",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Print a new bearer token, once. It ends as `people.token_days` says."""
    now, days = clock.now(), load_settings(config).people.token_days
    expires_at = now + timedelta(days=days) if days else None

    async def run(database: Database) -> str:
        async with database.write() as transaction:
            _, secret = await credentials.create_token(
                transaction, user, label=label, expires_at=expires_at, actor="command line", now=now
            )
            return secret

    print(_with_database(config, run))


@policy_commands.command("evaluate")
def policy_evaluate(
    facts: Annotated[str, typer.Argument(help="a facts document (JSON), - for standard input")],
) -> None:
    """Print the verdict as JSON. Exit 0 allow, 3 deny, 2 bad input."""
    verdict = evaluate_document(_read_facts(facts))
    print(json.dumps(verdict, ensure_ascii=False, indent=2))
    raise typer.Exit(0 if verdict["verdict"] == "allow" else 3)


@policy_commands.command("packs")
def policy_packs(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the rule packs, their versions, dates and rules."""
    packs = listing()
    if as_json:
        print(json.dumps(packs, ensure_ascii=False, indent=2, default=str))
        return
    table = Table("pack", "version", "status", "rules")
    for pack in packs:
        names = ", ".join(rule["id"] for rule in pack["rules"])
        table.add_row(pack["id"], str(pack["version"]), str(pack["status"]), names)
    Console().print(table)


def _read_facts(source: str) -> Any:
    try:
        return parse_facts(sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes(), source)
    except OSError as error:
        raise Invalid(f"{source}: cannot be read: {error.strerror}") from error


def _with_database(config: Path, work: Callable[[Database], Coroutine[Any, Any, Result]]) -> Result:
    settings: Settings = load_settings(config)

    async def run() -> Result:
        database = Database(settings.database.url)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def main() -> None:
    """Run the command; a fault is one line on stderr and exit code 2."""
    try:
        cli()
    except Fault as fault:
        print(f"error: {fault.detail}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
