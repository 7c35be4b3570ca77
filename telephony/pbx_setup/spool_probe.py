"""Whether what the PBX records arrives where we look for it: the PBX records half a second, we find the file and clear it.

The probe also makes the spool folder where it is missing, since MixMonitor makes its folders.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from telephony.ami import AmiLink
from telephony.ari import AriFailed, StoredRecordings
from telephony.pbx_setup.dialplan import PROBE
from telephony.pbx_setup.probe import ask, new_token
from telephony.pbx_setup.state import running_dialplan


@dataclass(frozen=True)
class SpoolProblem:
    """What is wrong with the spool, and the mend."""

    code: str
    where: str
    message: str
    mend: str


NOT_APPLIED = SpoolProblem(
    "context-missing",
    "dialplan",
    "The PBX has not been prepared, so nothing can be recorded.",
    "Run `ringfence pbx apply`.",
)


async def probe_spool(
    link: AmiLink, spool_pbx: str, spool_local: Path, stored: StoredRecordings | None = None
) -> SpoolProblem | None:
    """Record a probe and find it, over ARI where `stored` is given; None when all is well. Takes about a second."""
    if PROBE not in await running_dialplan(link):
        return NOT_APPLIED
    token = new_token()
    written = await ask(link, "spool", token) or ""
    if not written.isdigit() or written == "0":
        return SpoolProblem(
            "spool-unwritable",
            spool_pbx,
            "Asterisk cannot record into the spool.",
            "Create the folder on the PBX, with free space, owned by the user that Asterisk runs as.",
        )
    name = f"probe-{token}.raw"
    try:
        if stored is not None:
            return await asyncio.to_thread(_fetched, stored, name, int(written))
        seen = await asyncio.to_thread(lambda: (spool_local / name).stat().st_size)
        await asyncio.to_thread((spool_local / name).unlink)
    except OSError as error:
        return SpoolProblem(
            "spool-invisible",
            str(spool_local),
            f"What Asterisk records in {spool_pbx} cannot be read and cleared here: {error.strerror}.",
            "Let spool_local name the same folder (a mount, or the same machine), readable and writable by this service.",
        )
    if seen != int(written):
        return SpoolProblem(
            "spool-differs",
            str(spool_local),
            f"Asterisk wrote {written} bytes, here are {seen}: the two folders are not one, or the mount lags.",
            "Let spool_local name the very folder that spool_pbx names on the PBX.",
        )
    return None


def _fetched(stored: StoredRecordings, name: str, written: int) -> SpoolProblem | None:
    """Whether ARI gives the probe, and removes it."""
    try:
        seen = stored.size(name)
        stored.delete(name)
    except AriFailed as failed:
        return SpoolProblem(
            "spool-invisible", "ARI", f"{failed}.", "Enable http.conf and ari.conf on the PBX, with a user for us."
        )
    if seen != written:
        return SpoolProblem(
            "spool-differs",
            "ARI",
            f"Asterisk wrote {written} bytes, and ARI gives {'nothing' if seen is None else seen}.",
            "Let spool_pbx name a folder below `recording` in Asterisk's own spool: ARI gives away nothing else.",
        )
    return None
