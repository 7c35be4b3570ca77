"""What a PBX needs to work with us, shown (`plan`) and applied (`apply`) over AMI alone.

One file of ours with our contexts, one line at the end of the admin's extensions.conf that includes it, and, only when
told, the context of named phones. Applying again does nothing. docs/dialplan.md has the whole, and the AMI classes needed.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff

import structlog

from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import DESK, FILE, INBOUND, DialplanSettings, Section, sections
from telephony.pbx_setup.files import append, cut, refuse_exec
from telephony.pbx_setup.moves import PJSIP, Moves, move, refuse_strangers, trunk_contexts
from telephony.pbx_setup.probe import PbxConfigFailed, require
from telephony.pbx_setup.state import (
    EXTENSIONS,
    Contexts,
    is_included,
    phone_contexts,
    running_dialplan,
    unlike,
    written_sections,
)

log = structlog.get_logger(__name__)

INCLUDE = f'#include "{FILE}"'
_LINES_A_MESSAGE = 25
"""Each takes four headers of an AMI message, which carries at most 128."""
_VERIFY_SECONDS = 10.0


@dataclass(frozen=True)
class Change:
    """One thing to change: where, and what, line by line (`-` goes, `+` comes)."""

    where: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What applying changes (or changed), and the phones that bypass the gate."""

    pbx: str
    changes: tuple[Change, ...]
    other_phones: Mapping[str, str]
    """Phones whose context is not ours, with that context: reported, changed only when told."""
    notes: tuple[str, ...] = ()
    other_trunks: Mapping[str, str] = field(default_factory=dict)
    """Trunks whose incoming calls go elsewhere, with their context: reported, changed only when told."""

    @property
    def nothing_to_do(self) -> bool:
        """Whether the PBX has all it needs."""
        return not self.changes

    def text(self) -> str:
        """For people to read."""
        parts = [f"PBX {self.pbx}: nothing to do" if self.nothing_to_do else f"PBX {self.pbx}:"]
        parts += [
            line for change in self.changes for line in (f"  {change.where}", *(f"    {line}" for line in change.lines))
        ]
        if self.other_phones:
            listed = ", ".join(f"{phone} ({context})" for phone, context in sorted(self.other_phones.items()))
            parts.append(f"  phones whose own calls bypass the gate, by their context: {listed}")
        if self.other_trunks:
            listed = ", ".join(f"{trunk} ({context})" for trunk, context in sorted(self.other_trunks.items()))
            parts.append(f"  trunks whose incoming calls do not reach us, by their context: {listed}")
        return "\n".join([*parts, *(f"  note: {note}" for note in self.notes)])


@dataclass(frozen=True)
class _State:
    """What there is and what there should be."""

    wanted: tuple[Section, ...]
    written: list[Section] | None
    included: bool
    loaded: bool
    contexts: Mapping[str, str]
    trunks: Mapping[str, str]

    @property
    def file_right(self) -> bool:
        return self.written == list(self.wanted)

    def moving(self, moves: Moves) -> dict[str, str]:
        """The endpoints to move that are not there yet, with the context they get."""
        now = {**self.trunks, **self.contexts}
        return {name: context for name, context in moves.wanted().items() if now[name] != context}


async def plan(
    link: AmiLink, settings: DialplanSettings, *, phones: Sequence[str] = (), inbound: Sequence[str] = ()
) -> Plan:
    """What `apply` would change. Writes no file; raises PbxUnavailable, PbxConfigFailed, or Invalid for an unknown phone."""
    return _plan(link, await _look(link, settings), Moves(phones, inbound))


async def apply(
    link: AmiLink, settings: DialplanSettings, *, phones: Sequence[str] = (), inbound: Sequence[str] = ()
) -> Plan:
    """Bring the PBX to what it should be, and prove it; the plan that was carried out. A second time writes nothing.

    `phones`: endpoints to move into our context; `inbound`: trunk endpoints whose incoming calls become ours. Raises as
    `plan` does, and PbxConfigRefused before anything is written if a file would be damaged. If the PBX does not take it,
    all is brought back and PbxConfigFailed says why.
    """
    state = await _look(link, settings)
    todo = _plan(link, state, Moves(phones, inbound))
    if todo.nothing_to_do:
        return todo
    moving = state.moving(Moves(phones, inbound))
    await _refuse_damage(link, state, moving)
    notes: list[str] = []
    if not (state.file_right and state.included and state.loaded):
        notes = await _apply_dialplan(link, state)
    if moving:
        await move(link, moving)
    others = {phone: context for phone, context in todo.other_phones.items() if phone not in moving}
    trunks = {trunk: context for trunk, context in todo.other_trunks.items() if trunk not in moving}
    log.info("pbx_config.applied", pbx=todo.pbx, changed=[change.where for change in todo.changes])
    return Plan(todo.pbx, todo.changes, others, tuple(notes), trunks)


async def _look(link: AmiLink, settings: DialplanSettings) -> _State:
    await link.connected()
    wanted = sections(settings)
    return _State(
        wanted=wanted,
        written=await written_sections(link),
        included=await is_included(link),
        loaded=not unlike(await running_dialplan(link), wanted),
        contexts=await phone_contexts(link),
        trunks=await trunk_contexts(link),
    )


def _plan(link: AmiLink, state: _State, moves: Moves) -> Plan:
    moves.require_known(link.account.name, state.contexts, state.trunks)
    changes: list[Change] = []
    if not state.file_right:
        changes.append(Change(f"{FILE} (ours)", tuple(_diff(state.written or [], state.wanted))))
    if not state.included:
        changes.append(Change(f"{EXTENSIONS}, at its end", (f"+{INCLUDE}",)))
    if not changes and not state.loaded:
        changes.append(Change("dialplan in memory", ("reload: it is not what the files say",)))
    now = {**state.trunks, **state.contexts}
    moved = [
        line
        for name, context in state.moving(moves).items()
        for line in (f"-{name}: context={now[name]}", f"+{name}: context={context}")
    ]
    if moved:
        changes.append(Change(f"{PJSIP}, at its end", tuple(moved)))
    others = {phone: context for phone, context in state.contexts.items() if context != DESK}
    trunks = {trunk: context for trunk, context in state.trunks.items() if context != INBOUND}
    return Plan(link.account.name, tuple(changes), others, other_trunks=trunks)


def _diff(old: Sequence[Section], new: Sequence[Section]) -> Iterator[str]:
    def text(items: Sequence[Section]) -> list[str]:
        return [
            line for item in items for line in (f"[{item.name}]", *(f"{key} => {value}" for key, value in item.lines))
        ]

    changed = unified_diff(text(old), text(new), n=0, lineterm="")
    return (line for line in changed if not line.startswith(("---", "+++", "@@")))


async def _refuse_damage(link: AmiLink, state: _State, moving: Mapping[str, str]) -> None:
    """Everything that could be damaged is looked at before the first byte is written."""
    if not state.file_right and state.written is not None:
        await refuse_exec(link, FILE)
    if not state.included:
        await refuse_exec(link, EXTENSIONS)
    await refuse_strangers(link, moving)


async def _apply_dialplan(link: AmiLink, state: _State) -> list[str]:
    """Write, include, reload, prove; bring back on failure. Notes on what else the reload took up."""
    before = await running_dialplan(link)
    size: int | None = None
    try:
        if not state.file_right:
            await _write(
                link, state.wanted, [section.name for section in state.written or []], new=state.written is None
            )
        if not state.included:
            size = await append(link, EXTENSIONS, ["; Ringfence: calls to the outside pass its gate", INCLUDE])
        await _reload_until_loaded(link, state.wanted)
    except PbxConfigFailed:
        await _bring_back(link, state, size)
        raise
    return _side_effects(before, await running_dialplan(link))


async def _reload_until_loaded(link: AmiLink, wanted: Sequence[Section]) -> None:
    deadline = asyncio.get_running_loop().time() + _VERIFY_SECONDS
    reloaded = await link.send("Reload", {"Module": "pbx_config.so"}, timeout=30)
    while missing := unlike(await running_dialplan(link), wanted):
        if asyncio.get_running_loop().time() > deadline:
            raise PbxConfigFailed(
                f"After the reload {', '.join(missing)} are not in the dialplan as written, so all was brought back: look for "
                f"errors about {EXTENSIONS} or {FILE} in the PBX's log."
            )
        if not reloaded.ok:
            if "permission" in reloaded.message.lower():
                require(reloaded, "Reload", "config")
            reloaded = await link.send("Reload", {"Module": "pbx_config.so"}, timeout=30)
        await asyncio.sleep(0.1)


async def _bring_back(link: AmiLink, state: _State, size: int | None) -> None:
    log.warning("pbx_config.bringing_back", pbx=link.account.name)
    if size is not None:
        await cut(link, EXTENSIONS, size)
    if not state.file_right and state.written is not None:
        now = await written_sections(link)
        await _write(link, state.written, [section.name for section in now or []], new=False)
    await link.send("Reload", {"Module": "pbx_config.so"}, timeout=30)


def _side_effects(before: Contexts, after: Contexts) -> list[str]:
    names = {name for name in {*before, *after} if not name.startswith("ringfence-")}
    changed = sorted(name for name in names if before.get(name) != after.get(name))
    if not changed:
        return []
    return [f"the reload also took up edits that were waiting in the PBX's own files, in: {', '.join(changed)}"]


async def _write(link: AmiLink, wanted: Sequence[Section], present: Sequence[str], *, new: bool) -> None:
    """Replace our file's contents. It may take several messages: whatever a crash leaves of it lets no call pass."""
    if new:
        require(await link.send("CreateConfig", {"Filename": FILE}), f"CreateConfig {FILE}", "config")
    operations = [{"Action": "delcat", "Cat": name} for name in dict.fromkeys(present)]
    for section in wanted:
        operations.append({"Action": "newcat", "Cat": section.name})
        operations += [
            {"Action": "append", "Cat": section.name, "Var": keyword, "Value": f">{value}"}
            for keyword, value in section.lines
        ]
    for start in range(0, len(operations), _LINES_A_MESSAGE):
        fields = {"SrcFilename": FILE, "DstFilename": FILE}
        for number, operation in enumerate(operations[start : start + _LINES_A_MESSAGE]):
            fields |= {f"{header}-{number:06}": value for header, value in operation.items()}
        require(await link.send("UpdateConfig", fields), f"UpdateConfig {FILE}", "config")
