"""A list as the PBX has it, whole or not at all: an entry lost on the way would pass for a channel that is gone."""

from collections.abc import Mapping

from telephony.ami import AmiLink, PbxUnavailable
from telephony.ami.answers import Headers

TRIES = 3


async def read_list(
    link: AmiLink, action: str, fields: Mapping[str, str] | None = None, *, by: str
) -> dict[str, Headers]:
    """The entries of a list action, keyed by their header `by`; an entry that came twice counts once.

    Raises PbxUnavailable when the PBX refuses, or when less came through than it says there is, several times over.
    """
    for _ in range(TRIES):
        answer = await link.send(action, fields)
        if not answer.ok:
            raise PbxUnavailable(
                f"the PBX does not give the list {action}, so nothing can be settled: {answer.message}"
            )
        entries = {entry.get(by, ""): entry for entry in answer.events}
        if answer.listed is None or len(entries) == answer.listed:
            return entries
    raise PbxUnavailable(f"the list {action} did not come through whole, {TRIES} times")
