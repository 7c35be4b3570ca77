"""What is missing or wrong on a PBX, each with the one sentence that mends it. Looks and tries, changes nothing."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from telephony.ami import AmiLink
from telephony.ari import StoredRecordings
from telephony.pbx_clock import clock_difference
from telephony.pbx_setup.dialplan import FAMILY, FILE, PROBE, DialplanSettings, sections
from telephony.pbx_setup.findings import Checked, Finding, Severity
from telephony.pbx_setup.needs import ACTIONS, BROUGHT_BY, EVENT_CLASSES, MODULES, WELCOME
from telephony.pbx_setup.probe import ask, new_token
from telephony.pbx_setup.rounds import manager_users, ways_round
from telephony.pbx_setup.spool_probe import NOT_APPLIED, probe_spool
from telephony.pbx_setup.state import EXTENSIONS, is_included, running_dialplan, unlike, written_sections

__all__ = ["LOOKS", "Finding", "Progress", "Severity", "check"]

OLDEST_MAJOR = 20
CLOCK_SECONDS = 2.0
"""A clock further off than this moves calling hours and the order of what happened."""


Progress = Callable[[str, int], None]
"""Told the name of each look of LOOKS as it begins, and how many are done."""


def _unheard(_look: str, _done: int) -> None:
    """Progress for those who do not watch."""


async def check(
    link: AmiLink,
    settings: DialplanSettings,
    *,
    spool_local: Path,
    trunks: Sequence[str] = (),
    stored: StoredRecordings | None = None,
    progress: Progress = _unheard,
) -> list[Finding]:
    """All that is wrong, worst first.

    `spool_local` is the spool as we see it (`stored`: its files, where they come over ARI), `trunks` the endpoints calls leave by.

    Raises PbxUnavailable if the PBX is not there or refuses the login, AnswerUnknown if it stops answering.
    """
    await link.connected()
    subject = Checked(link=link, dialplan=settings, spool_local=spool_local, trunks=trunks, stored=stored)
    found: list[Finding] = []
    for done, (name, look) in enumerate(_LOOKS.items()):
        progress(name, done)
        found += [finding async for finding in look(subject)]
        if name == ACCOUNT and any(finding.severity is Severity.ERROR for finding in found):
            break  # what it may not ask, it cannot look at
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


async def _account(on: Checked) -> AsyncIterator[Finding]:
    allowed = {name.lower() for name in (await on.link.send("ListCommands")).fields}
    lacking: dict[str, list[str]] = {}
    for action, needed in ACTIONS.items():
        if action.lower() not in allowed and await _could_be_sent(on, action):
            lacking.setdefault(needed, []).append(action)
    user = on.link.account.username
    for needed, actions in lacking.items():
        yield Finding(
            "ami-class-missing",
            Severity.ERROR,
            f"manager.conf [{user}]",
            f"The AMI user may not send {', '.join(actions)}.",
            f"Add {needed} to write = (and read =) of [{user}] in manager.conf, then run `manager reload` on the PBX.",
        )
    told = "\n".join((await on.link.command(f"manager show user {user}")).output)
    if readable := re.search(r"read perm:\s*(\S+)", told):
        classes = readable[1].split(",")
        missing = [name for name in EVENT_CLASSES if name not in classes and "all" not in classes]
        if missing:
            yield Finding(
                "ami-events-missing",
                Severity.ERROR,
                f"manager.conf [{user}]",
                f"The AMI user does not hear events of: {', '.join(missing)}.",
                f"Add {','.join(missing)} to read = of [{user}] in manager.conf, then run `manager reload` on the PBX.",
            )


async def _could_be_sent(on: Checked, action: str) -> bool:
    """Whether the PBX has the action at all; a module that is missing is told as such."""
    module = BROUGHT_BY.get(action)
    if module is None:
        return True
    loaded = await on.link.send("ModuleCheck", {"Module": module})
    return loaded.ok or "permission" in loaded.message.lower()


async def _version(on: Checked) -> AsyncIterator[Finding]:
    version = (await on.link.send("CoreSettings")).fields.get("AsteriskVersion", "")
    major = re.match(r"(?:certified/)?(\d+)", version)
    if major is None or int(major[1]) < OLDEST_MAJOR:
        yield Finding(
            "version-old",
            Severity.ERROR,
            "Asterisk",
            f"This is Asterisk {version or '(unknown)'}; recording one leg in stereo needs {OLDEST_MAJOR} or later.",
            f"Upgrade Asterisk to {OLDEST_MAJOR} or later; 22 is what this is tested with.",
        )


async def _modules(on: Checked) -> AsyncIterator[Finding]:
    for module, purpose in MODULES.items():
        if not (await on.link.send("ModuleCheck", {"Module": module})).ok:
            yield Finding(
                "module-missing",
                Severity.ERROR,
                f"modules.conf, {module}",
                f"{module} is not loaded; it is needed for {purpose}.",
                f"Put `load = {module}` into modules.conf (and take out a noload), then restart Asterisk.",
            )
    for modules, (lost, otherwise) in WELCOME.items():
        missing = [module for module in modules if not (await on.link.send("ModuleCheck", {"Module": module})).ok]
        if missing:
            mend = f"Load {', '.join(missing)} in modules.conf, or {otherwise}."
            yield Finding("module-missing", Severity.WARNING, f"modules.conf, {', '.join(missing)}", lost, mend)


async def _dialplan(on: Checked) -> AsyncIterator[Finding]:
    apply = f"Run `ringfence pbx apply {on.link.account.name}`."
    wanted = sections(on.dialplan)
    written = await written_sections(on.link)
    if written is None:
        yield Finding("file-missing", Severity.ERROR, FILE, "Our dialplan is not on the PBX.", apply)
    elif written != list(wanted):
        message = "Our dialplan was edited by hand, or is of another version or other settings."
        yield Finding("file-altered", Severity.ERROR, FILE, message, apply)
    if not await is_included(on.link):
        message = f"It does not include {FILE}, so our contexts are gone after the next reload."
        yield Finding("include-missing", Severity.ERROR, EXTENSIONS, message, apply)
    running = await running_dialplan(on.link)
    for name in unlike(running, wanted):
        missing = name not in running
        yield Finding(
            "context-missing" if missing else "context-altered",
            Severity.ERROR,
            f"dialplan, {name}",
            f"The context {name} is not loaded." if missing else f"The context {name} is not what it should be.",
            apply,
        )


async def _gate(on: Checked) -> AsyncIterator[Finding]:
    if PROBE not in await running_dialplan(on.link):
        return
    word = await ask(on.link, "gate", new_token())
    if word == "probe":
        return
    heard = {"late": "it took the call and said nothing for 2 s", "": "nothing listens there, or it hung up at once"}
    yield Finding(
        "gate-unreachable",
        Severity.ERROR,
        f"FastAGI {on.dialplan.gate}",
        f"The PBX does not reach the gate: {heard.get(word or '', f'the answer was {word!r}')}. No customer can be called.",
        "Start `ringfence serve`, and let [gate] advertise be the address under which the PBX reaches it.",
    )


async def _spool(on: Checked) -> AsyncIterator[Finding]:
    problem = await probe_spool(on.link, on.dialplan.spool, on.spool_local, on.stored)
    if problem is not None and problem is not NOT_APPLIED:
        yield Finding(problem.code, Severity.ERROR, problem.where, problem.message, problem.mend)


async def _trunks(on: Checked) -> AsyncIterator[Finding]:
    listed = await on.link.send("PJSIPShowEndpoints")
    states = {event.get("ObjectName", ""): event.get("DeviceState", "") for event in listed.events}
    for trunk in on.trunks:
        if trunk not in states:
            message = "There is no such PJSIP endpoint, so no call can leave by this trunk."
            mend = "Set the endpoint up in pjsip.conf, or change the trunk's endpoint in the admin pages."
            yield Finding("trunk-missing", Severity.ERROR, f"PJSIP endpoint {trunk}", message, mend)
        elif states[trunk] in ("Unavailable", "Invalid"):
            message = f"The carrier does not answer ({states[trunk]})."
            mend = (
                "Look at `pjsip show endpoint` on the PBX: contact address, registration, firewall, the carrier itself."
            )
            yield Finding("trunk-unreachable", Severity.ERROR, f"PJSIP endpoint {trunk}", message, mend)


async def _emergency(on: Checked) -> AsyncIterator[Finding]:
    answer = await on.link.send("DBGet", {"Family": FAMILY, "Key": "emergency-trunks"})
    told = answer.events[0].get("Val", "") if answer.ok and answer.events else ""
    if not told and not on.dialplan.emergency_trunks:
        yield Finding(
            "emergency-trunks-missing",
            Severity.WARNING,
            f"AstDB {FAMILY}/emergency-trunks",
            "No trunk is named for emergency numbers, so phones in our context cannot reach them.",
            "Set up at least one trunk; the service tells the PBX as soon as it runs.",
        )


async def _clock(on: Checked) -> AsyncIterator[Finding]:
    off = await clock_difference(on.link) or 0.0
    if off > CLOCK_SECONDS:
        yield Finding(
            "clock-difference",
            Severity.ERROR,
            "clock",
            f"The PBX's clock and ours are {off:.1f} s apart.",
            "Run NTP (chrony or systemd-timesyncd) on both machines.",
        )


ACCOUNT = "account"
_LOOKS: Mapping[str, Callable[[Checked], AsyncIterator[Finding]]] = {
    ACCOUNT: _account,
    "version": _version,
    "modules": _modules,
    "dialplan": _dialplan,
    "gate": _gate,
    "spool": _spool,
    "ways": ways_round,
    "trunks": _trunks,
    "emergency": _emergency,
    "managers": manager_users,
    "clock": _clock,
}
LOOKS = tuple(_LOOKS)
"""What is looked at, in this order."""
