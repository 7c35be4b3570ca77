"""The admin's configuration files, touched as little as can be: looked into, and added to at the end, never rewritten.

AMI's UpdateConfig writes a whole file anew, and every file that it includes: comments move, `#exec` is dropped. So the PBX
itself appends (dialplan function FILE), which keeps every byte that was there. A file with `#exec` is refused all the same:
what it yields cannot be seen from here, so nothing could be promised about the outcome.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from config.errors import Fault
from telephony.ami import AmiLink
from telephony.pbx_setup.probe import PbxConfigFailed, run_steps

_CHUNK, _OVERLAP = 3000, 200
"""Bytes the PBX reads at once: one dialplan value holds at most 4096."""
EXEC = "[eE][xX][eE][cC]"


class PbxConfigRefused(Fault):
    """Applying would damage something of the admin's, so nothing was written; the detail says what stands in the way."""

    code = "pbx-config-refused"
    status = 409
    title = "The telephone system's configuration was left as it is"


@dataclass(frozen=True)
class ConfigFile:
    """A configuration file as Asterisk reads it: its sections in order, with includes followed."""

    sections: tuple[tuple[str, tuple[str, ...]], ...]
    """(name, lines as `name=value`)."""

    def names(self) -> set[str]:
        """The names of all sections."""
        return {name for name, _ in self.sections}


async def read_config(link: AmiLink, name: str) -> ConfigFile | None:
    """The file as Asterisk parses it, or None if there is none or it does not parse. Needs the AMI class `config`."""
    answer = await link.send("GetConfig", {"Filename": name})
    if not answer.ok:
        if "permission" in answer.message.lower():
            raise PbxConfigFailed(
                "GetConfig: the AMI user lacks the class config; add it to read and write in manager.conf."
            )
        return None
    sections: dict[str, tuple[str, list[str]]] = {}
    for header, value in answer.fields.items():
        kind, _, numbers = header.partition("-")
        if kind == "Category":
            sections[numbers] = (value, [])
        elif kind == "Line":
            sections[numbers.partition("-")[0]][1].append(value)
    return ConfigFile(tuple((name, tuple(lines)) for name, lines in sections.values()))


async def holds_directive(link: AmiLink, name: str, directive: str) -> bool:
    """Whether a line of the file (not of what it includes) is `#` and then the regular expression `directive`.

    POSIX extended, without quotes. The PBX looks itself, since AMI shows files only after parsing them.
    """
    path, pattern = _path(name), f"[[:blank:]]*#[[:blank:]]*{directive}"
    if '"' in directive or "${" in directive:
        raise ValueError("not a pattern for the dialplan")
    found = await run_steps(
        link,
        [
            ("Set", f"size=${{STAT(s,{path})}}"),
            ("Set", f'found=${{REGEX("^{pattern}" ${{FILE({path},0,{_CHUNK})}})}}'),
            ("Set", "at=0"),
            ("GotoIf", "$[${found} > 0 | ${at} >= 0${size}]?8"),
            ("Set", f'found=${{REGEX("[[:cntrl:]]{pattern}" ${{FILE({path},${{at}},{_CHUNK})}})}}'),
            ("Set", f"at=$[${{at}} + {_CHUNK - _OVERLAP}]"),
            ("Goto", "4"),
            ("Set", "DB(ringfence/probe/TOKEN)=${found}${IF($[0${size} = 0]?empty:)}"),
        ],
    )
    return found.startswith("1")


async def append(link: AmiLink, name: str, lines: Sequence[str]) -> int:
    """Add lines at the file's end; its size before, in bytes, with which `cut` takes them away again.

    Raises PbxConfigRefused if the file has `#exec`, PbxConfigFailed if it cannot be written; then it is as it was.
    """
    if not all(re.fullmatch(r"[\w \[\](){}#\"=+;:,.&'-]*", line) for line in lines):
        raise ValueError("not lines for a configuration file")
    await refuse_exec(link, name)
    path = _path(name)
    writes = [("Set", f"FILE({path},,,al,u)={line}") for line in ["", *lines]]
    word = await run_steps(
        link,
        [
            ("Set", f"before=${{STAT(s,{path})}}"),
            *writes,
            ("Set", f"DB(ringfence/probe/TOKEN)=${{before}} ${{STAT(s,{path})}}"),
        ],
    )
    before, _, after = word.partition(" ")
    if (
        not before.isdigit()
        or not after.isdigit()
        or int(after) - int(before) != sum(len(line) + 1 for line in ["", *lines])
    ):
        if before.isdigit():
            await cut(link, name, int(before))
        raise PbxConfigFailed(
            f"{name} could not be added to: let the user that Asterisk runs as write it, then apply again."
        )
    return int(before)


async def cut(link: AmiLink, name: str, size: int) -> None:
    """Take away what lies beyond `size` bytes: the way back from `append`."""
    path = _path(name)
    left = await run_steps(
        link, [("Set", f"FILE({path},{size})="), ("Set", f"DB(ringfence/probe/TOKEN)=${{STAT(s,{path})}}")]
    )
    if left != str(size):
        raise PbxConfigFailed(
            f"{name} could not be brought back: take away what stands beyond its first {size} bytes by hand."
        )


async def refuse_exec(link: AmiLink, name: str) -> None:
    """Raise PbxConfigRefused if the file runs programs with `#exec`."""
    if await holds_directive(link, name, EXEC):
        raise PbxConfigRefused(
            f"{name} holds #exec, so what Asterisk makes of it cannot be foreseen and it was left untouched: "
            "move the #exec into a file that it includes, or add the lines shown by `ringfence pbx plan` by hand.",
            file=name,
        )


def _path(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+\.conf", name):
        raise ValueError(f"{name!r} is not the name of a configuration file")
    return f"${{ASTETCDIR}}/{name}"
