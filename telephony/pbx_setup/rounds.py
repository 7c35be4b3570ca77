"""`pbx check` on ways round the gate: which phones, trunks and contexts reach a trunk without it, and what mends that."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass

from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import DESK
from telephony.pbx_setup.endpoints import Endpoint, read_endpoints
from telephony.pbx_setup.files import read_config
from telephony.pbx_setup.findings import Checked, Finding, Severity
from telephony.pbx_setup.patterns import split, variables
from telephony.pbx_setup.state import Contexts, running_dialplan
from telephony.pbx_setup.ways import OURS, Dialplan, Endpoints, Way

FEATURES = "features:"
"""Stands before the name of a feature of features.conf, as if it were a context of one step."""
_AT_MOST = 20
_VARIABLES = 300
_MAY_CALL = frozenset({"all", "originate", "call", "system", "command", "config"})
"""Manager classes that can make a call, or write a dialplan that makes one."""


@dataclass(frozen=True)
class _Start:
    """A context in which calls begin, and whose."""

    context: str
    names: tuple[str, ...]
    phones: bool


async def ways_round(on: Checked) -> AsyncIterator[Finding]:
    """What reaches a trunk past the gate, or may; and each phone that is not in our context, though it reaches none."""
    endpoints = await read_endpoints(on.link)
    trunks = {*on.trunks, *(one.name for one in endpoints if not one.is_phone)}
    contexts = {**await running_dialplan(on.link), **await _features(on.link)}
    plan = Dialplan(contexts, Endpoints(trunks), await _globals(on.link, contexts))
    told: set[object] = set()
    past: set[str] = set()
    for start in _starts(endpoints, on.trunks):
        ways = await asyncio.to_thread(plan.ways_from, start.context)
        told |= {way.spot for way in ways}
        past |= set(start.names) if ways else set()
        for finding in _findings(on.link.account.name, start, ways):
            yield finding
    for finding in await asyncio.to_thread(lambda: list(_idle(plan, told))):
        yield finding
    for one in endpoints:
        if one.is_phone and one.context != DESK and one.name not in past and one.name not in on.trunks:
            yield _outside_ours(on.link.account.name, one)


def _starts(endpoints: Iterable[Endpoint], trunks: Iterable[str]) -> Iterator[_Start]:
    entered: dict[tuple[str, bool], list[str]] = {}
    for one in endpoints:
        for context in dict.fromkeys((one.context, *one.others)):
            if not context.startswith(OURS):
                entered.setdefault((context, one.is_phone and one.name not in trunks), []).append(one.name)
    for (context, phones), names in sorted(entered.items()):
        yield _Start(context, tuple(names), phones)


def _findings(pbx: str, start: _Start, ways: list[Way]) -> Iterator[Finding]:
    certain = [way for way in ways if way.trunk is not None]
    unclear = [way for way in ways if way.trunk is None]
    whose = _listed(start.names)
    kind = "way" if start.phones else "trunk-way"
    for number, way in enumerate(certain[:_AT_MOST], 1):
        more = f" So do {len(certain) - _AT_MOST} more lines." if number == _AT_MOST < len(certain) else ""
        who = f"What {whose} dials" if start.phones else f"A call that comes in by {whose}"
        message = f"{who} reaches the outside without the gate: {_route(way)} {way.why}.{more}"
        where = f"dialplan, {way.spot}"
        yield Finding(f"{kind}-round", Severity.ERROR, where, message, _mend(pbx, start, way))
    if unclear:
        lines = "; ".join(f"{_route(way)} {way.why}" for way in unclear[:5])
        more = f"; and {len(unclear) - 5} more" if len(unclear) > 5 else ""
        message = f"Whether {whose} can reach a trunk cannot be decided by looking: {lines}{more}."
        watched = "At run time a trunk leg without a ticket is hung up and told."
        mend = (
            f"{_move(pbx, start)} {watched}" if start.phones else f"See that these lines never dial outside. {watched}"
        )
        yield Finding(f"{kind}-unclear", Severity.WARNING, f"dialplan, {start.context}", message, mend)


def _route(way: Way) -> str:
    passed = " > ".join(way.path)
    return f"{passed}: {way.spot.extension},{way.spot.priority} {way.line}" if way.spot.extension else passed


def _mend(pbx: str, start: _Start, way: Way) -> str:
    instead = f"let {way.spot} be {way.instead}" if way.instead else f"take {way.spot} out"
    if start.phones:
        return f"{_move(pbx, start)} Or {instead}."
    inbound = " ".join(f"--inbound {name}" for name in start.names[:_AT_MOST])
    return (
        f"Take what leads from {start.context} to {way.spot} out, so that callers from outside cannot dial on; or {instead}. "
        f"Or have incoming calls go by our routes: `ringfence pbx apply {pbx} {inbound}`."
    )


def _move(pbx: str, start: _Start) -> str:
    phones = " ".join(f"--phones {name}" for name in start.names[:_AT_MOST])
    more = " and so on for the rest" if len(start.names) > _AT_MOST else ""
    return f"Run `ringfence pbx apply {pbx} {phones}`{more}."


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_AT_MOST])
    return f"{shown} and {len(names) - _AT_MOST} more" if len(names) > _AT_MOST else shown


def _idle(plan: Dialplan, told: set[object]) -> Iterator[Finding]:
    """Contexts in which no PJSIP endpoint begins, but which anything else that makes a channel could use."""
    for name in plan.names:
        ways = [way for way in plan.own_ways(name) if way.spot not in told]
        if ways:
            message = f"No endpoint comes here now, but what does is past the gate: {_route(ways[0])} {ways[0].why}."
            instead = f"let it be {ways[0].instead}" if ways[0].instead else "take the line out"
            where = (
                f"features.conf, {name.removeprefix(FEATURES)}" if name.startswith(FEATURES) else f"dialplan, {name}"
            )
            mend = f"Take the context out if nothing needs it, or {instead}."
            yield Finding("way-unused", Severity.WARNING, where, message, mend)


def _outside_ours(pbx: str, phone: Endpoint) -> Finding:
    return Finding(
        "phone-context",
        Severity.WARNING,
        f"PJSIP endpoint {phone.name}",
        f"What this phone dials itself goes to the context {phone.context}, past the gate; no trunk is reached from there.",
        f"Run `ringfence pbx apply {pbx} --phones {phone.name}`, or leave it if it may not dial out.",
    )


async def _globals(link: AmiLink, contexts: Contexts) -> Mapping[str, str]:
    """The global variables that dialling and jumping steps ask for."""
    wanted: set[str] = set()
    for name, entries in contexts.items():
        if not name.startswith(OURS):
            wanted |= {word for entry in entries if "${" in entry[4] for word in variables(entry[4])}
    found = {}
    for name in sorted(wanted)[:_VARIABLES]:
        answer = await link.send("Getvar", {"Variable": name})
        if answer.ok and (value := answer.fields.get("Value", "")):
            found[name] = value
    return found


async def _features(link: AmiLink) -> Contexts:
    """The applications of features.conf that a phone may start in a call, each as a context of one step."""
    file = await read_config(link, "features.conf")
    found: dict[str, frozenset[tuple[str, ...]]] = {}
    for section, lines in file.sections if file else ():
        for line in lines if section == "applicationmap" else ():
            name, _, value = line.partition("=")
            words = split(value.lstrip("> "), ",", 2)
            application, _, arguments = words[-1].replace('"', "").partition("(" if "(" in words[-1] else ",")
            step = ("s", "1", "", application.strip(), arguments.removesuffix(")"), "", "", "")
            found[f"{FEATURES}{name.strip()}"] = frozenset({step})
    return found


async def manager_users(on: Checked) -> AsyncIterator[Finding]:
    """Other manager accounts that may make calls. Seen only where ours has the class `command`; else nothing is said."""
    told = (await on.link.command("manager show users")).output
    names = [line.strip() for line in told if re.fullmatch(r"\s*[\w.@-]+\s*", line)]
    for name in names:
        if name in (on.link.account.username, "username") or set(name) == {"-"}:
            continue
        shown = "\n".join((await on.link.command(f"manager show user {name}")).output)
        may = re.search(r"write perm:\s*(\S+)", shown)
        held = sorted(_MAY_CALL & set(may[1].split(","))) if may else []
        if held:
            yield Finding(
                "manager-may-call",
                Severity.WARNING,
                f"manager.conf [{name}]",
                f"This account may make calls past the gate (write = {','.join(held)}).",
                f"Take {','.join(held)} from write = of [{name}] if nothing needs it. A trunk leg that it makes without a "
                "ticket is hung up and told.",
            )
