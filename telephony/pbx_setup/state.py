"""What a PBX has of what it needs: our file, its inclusion, the dialplan in memory, the phones' contexts. Reads only."""

import re
from collections.abc import Mapping, Sequence

from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import FILE, Section, steps
from telephony.pbx_setup.files import holds_directive, read_config
from telephony.pbx_setup.probe import require

EXTENSIONS = "extensions.conf"
_INCLUDED = r"include[[:blank:]]+.?ringfence[.]conf"
_COLUMNS = (
    "Extension",
    "Priority",
    "ExtensionLabel",
    "Application",
    "AppData",
    "IncludeContext",
    "Switch",
    "IgnorePattern",
)

Contexts = Mapping[str, frozenset[tuple[str, ...]]]
"""A dialplan as it runs: by context, its entries."""


async def written_sections(link: AmiLink) -> list[Section] | None:
    """Our file as it is on the PBX, or None if it has none."""
    file = await read_config(link, FILE)
    if file is None:
        return None
    return [Section(name, tuple(_pair(line) for line in lines)) for name, lines in file.sections]


def _pair(line: str) -> tuple[str, str]:
    keyword, _, value = line.partition("=")
    return keyword, value


async def is_included(link: AmiLink) -> bool:
    """Whether the admin's extensions.conf has a line that includes our file (GetConfig does not show it)."""
    return await holds_directive(link, EXTENSIONS, _INCLUDED)


async def running_dialplan(link: AmiLink) -> Contexts:
    """Every context that the PBX has in memory, the admin's too."""
    answer = await link.send("ShowDialPlan", timeout=30)
    if not answer.ok and "permission" in answer.message.lower():
        require(answer, "ShowDialPlan", "config")
    contexts: dict[str, set[tuple[str, ...]]] = {}
    for event in answer.events:
        entries = contexts.setdefault(event.get("Context", ""), set())
        entries.add(tuple(event.get(column, "") for column in _COLUMNS))
    return {name: frozenset(entries) for name, entries in contexts.items()}


def unlike(running: Contexts, wanted: Sequence[Section]) -> list[str]:
    """The names of our contexts that are missing from the running dialplan, or differ in it."""
    return [section.name for section in wanted if running.get(section.name) != _entries(section)]


def _entries(section: Section) -> frozenset[tuple[str, ...]]:
    return frozenset(
        (step.extension, str(step.priority), step.label, step.application, step.data, "", "", "")
        for step in steps(section)
    )


async def phone_contexts(link: AmiLink) -> dict[str, str]:
    """Every PJSIP endpoint that logs in with a password, as phones do and trunks do not, with its context."""
    listed = require(await link.send("PJSIPShowEndpoints"), "PJSIPShowEndpoints", "system")
    phones = [event["ObjectName"] for event in listed.events if event.get("Auths") and not event.get("OutboundAuths")]
    return {phone: await context_of(link, phone) for phone in phones if re.fullmatch(r"[A-Za-z0-9_.-]{1,79}", phone)}


async def context_of(link: AmiLink, phone: str) -> str:
    """The context into which what an endpoint dials goes; empty if there is no such endpoint."""
    answer = await link.send("Getvar", {"Variable": f"PJSIP_ENDPOINT({phone},context)"})
    return require(answer, "Getvar", "call").fields.get("Value", "")
