"""Our own PJSIP file on the PBX: written whole, first as a draft, then put in place at one stroke; included once.

A file of ours is all that UpdateConfig ever writes; the admin's pjsip.conf gets one line at its end, by the PBX itself
(telephony.pbx_setup.files). What Asterisk's writer does to a value was tried: `;` comes back escaped, and `>` before the value
keeps one that begins with it.
"""

from collections.abc import Iterator, Sequence

from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import Section
from telephony.pbx_setup.files import append, holds_directive, read_config
from telephony.pbx_setup.moves import PJSIP
from telephony.pbx_setup.probe import PbxConfigFailed, require

FILE = "pjsip_ringfence_trunks.conf"
DRAFT = "pjsip_ringfence_trunks_new.conf"
INCLUDE = f'#include "{FILE}"'
_INCLUDED = r"include[[:blank:]]+.?pjsip_ringfence_trunks[.]conf"
_MOST_HEADERS = 100
"""Of the operations in one AMI message, which carries at most 128 headers."""

Operation = dict[str, str]


async def read(link: AmiLink, name: str = FILE) -> tuple[Section, ...] | None:
    """The file as it is on the PBX, or None if it has none."""
    file = await read_config(link, name)
    if file is None:
        return None
    return tuple(
        Section(section, tuple((line.partition("=")[0], line.partition("=")[2]) for line in lines))
        for section, lines in file.sections
    )


async def write(link: AmiLink, wanted: Sequence[Section]) -> None:
    """Have the file hold exactly this. Until its last step the PBX would read what was there before."""
    await _replace(link, DRAFT, wanted)
    if tuple(await read(link, DRAFT) or ()) != tuple(wanted):
        raise PbxConfigFailed(f"{DRAFT} does not hold what was written to it, so {FILE} was left as it was.")
    if await read(link) is None:
        require(await link.send("CreateConfig", {"Filename": FILE}), f"CreateConfig {FILE}", "config")
    fields = {"SrcFilename": DRAFT, "DstFilename": FILE}
    require(await link.send("UpdateConfig", fields), f"UpdateConfig {FILE}", "config")
    if tuple(await read(link) or ()) != tuple(wanted):
        raise PbxConfigFailed(f"{FILE} does not hold what was written to it.")
    await _replace(link, DRAFT, ())


async def is_included(link: AmiLink) -> bool:
    """Whether the admin's pjsip.conf has a line that includes our file."""
    return await holds_directive(link, PJSIP, _INCLUDED)


async def include(link: AmiLink) -> int:
    """Add that line at its end; the size pjsip.conf had. Raises PbxConfigRefused, PbxConfigFailed."""
    return await append(link, PJSIP, ["; Ringfence: the trunks that are set up in its admin pages", INCLUDE])


async def _replace(link: AmiLink, name: str, wanted: Sequence[Section]) -> None:
    present = await read(link, name)
    if present is None:
        require(await link.send("CreateConfig", {"Filename": name}), f"CreateConfig {name}", "config")
    for batch in _batches(list(_operations(present or (), wanted))):
        fields = {"SrcFilename": name, "DstFilename": name}
        for number, operation in enumerate(batch):
            fields |= {f"{header}-{number:06}": value for header, value in operation.items()}
        require(await link.send("UpdateConfig", fields), f"UpdateConfig {name}", "config")


def _operations(present: Sequence[Section], wanted: Sequence[Section]) -> Iterator[Operation]:
    for section in present:
        yield {"Action": "delcat", "Cat": section.name}
    for section in wanted:
        yield {"Action": "newcat", "Cat": section.name}
        for key, value in section.lines:
            yield {"Action": "append", "Cat": section.name, "Var": key, "Value": f">{value}"}


def _batches(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    batch: list[Operation] = []
    for operation in operations:
        if sum(map(len, batch)) + len(operation) > _MOST_HEADERS:
            yield batch
            batch = []
        batch.append(operation)
    if batch:
        yield batch
