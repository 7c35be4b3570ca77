"""Bring a PBX's trunks to what they should be, and prove it: written, reloaded, looked at, tried; brought back on failure."""

import asyncio
import re
from collections.abc import Sequence

import structlog

from config.errors import Conflict, Fault
from telephony.ami import AmiLink, AnswerUnknown, PbxUnavailable
from telephony.pbx_setup.dialplan import Section
from telephony.pbx_setup.files import PbxConfigRefused, cut, read_config, refuse_exec
from telephony.pbx_setup.moves import PJSIP
from telephony.pbx_setup.plan import Change
from telephony.pbx_setup.probe import PbxConfigFailed
from telephony.trunking import file
from telephony.trunking.seen import REJECTED, Sighting, look, registrations
from telephony.trunking.trying import Tried, try_out
from telephony.trunking.wanted import Managed, difference, sections_of

log = structlog.get_logger(__name__)

TAKEN_SECONDS = 10.0
_POLL = 0.2


class TrunkUnreachable(Fault):
    """The carrier does not answer, or refuses the log-in; `seen` says what the PBX saw. All was brought back."""

    code = "trunk-unreachable"
    status = 422
    title = "The carrier could not be reached"


class HalfDone(Fault):
    """A change failed and could not be taken back either: the service goes on trying, and says so."""

    code = "trunk-half-done"
    status = 502
    title = "The trunk's change was left half done"


async def plan(link: AmiLink, wanted: Sequence[Managed]) -> tuple[Change, ...]:
    """What `apply` would change, secrets hidden. Writes nothing. Raises PbxUnavailable, PbxConfigFailed."""
    sections = sections_of(wanted, at_once=_registers_at_once(link))
    present = await file.read(link)
    changes = []
    if sections != (present or ()):
        changes.append(Change(f"{file.FILE} (ours)", difference(present or (), sections)))
    if sections and not await file.is_included(link):
        changes.append(Change(f"{PJSIP}, at its end", (f"+{file.INCLUDE}",)))
    return tuple(changes)


async def apply(
    link: AmiLink, wanted: Sequence[Managed], *, changed: Managed | None = None, removed: str | None = None
) -> Tried | None:
    """Have the PBX hold these trunks and no other of ours; what was seen of the one that `changed`, once its carrier answers.

    `removed`: an endpoint that must be gone. Raises PbxConfigRefused and Conflict before anything is written; otherwise
    everything is brought back, and PbxConfigFailed, TrunkUnreachable, PbxUnavailable or AnswerUnknown says why. HalfDone
    when that failed too.
    """
    sections = sections_of(wanted, at_once=_registers_at_once(link))
    before = await file.read(link)
    included = not sections or await file.is_included(link)
    await _refuse_damage(link, before or (), sections, included)
    size: int | None = None
    try:
        if sections != before:
            await file.write(link, sections)
        if not included:
            size = await file.include(link)
        await _reload(link, wanted, removed)
        tried = await _tried(link, changed) if changed is not None else None
        if tried is not None and not tried.ok:
            raise TrunkUnreachable(
                tried.why.en,
                reason=tried.why.en,
                reason_zh=tried.why.zh,
                seen=tried.sighting.document(),
                errors=[_error(tried)],
            )
        return tried
    except (PbxConfigFailed, TrunkUnreachable, PbxUnavailable, AnswerUnknown, asyncio.CancelledError) as fault:
        await _bring_back(link, before or (), size, changed.registration if changed else None, fault)
        raise


async def _tried(link: AmiLink, trunk: Managed) -> Tried:
    return await try_out(link, trunk.endpoint, qualifies=trunk.setup.qualify_seconds > 0)


def _error(tried: Tried) -> dict[str, str]:
    registration = tried.sighting.registration
    refused = registration is not None and registration.status == REJECTED
    return {"field": "secret" if refused else "host", "message": tried.why.en}


def _registers_at_once(link: AmiLink) -> bool:
    """Whether this Asterisk knows `max_random_initial_delay`; an older one refuses an object with a name it does not know."""
    major = re.match(r"(?:certified/)?(\d+)", link.status.asterisk_version)
    return major is not None and int(major[1]) >= 21


async def _refuse_damage(link: AmiLink, before: Sequence[Section], sections: Sequence[Section], included: bool) -> None:
    """Nothing was written yet: a name that the PBX's own objects have would become another one's settings."""
    if not included:
        await refuse_exec(link, PJSIP)
    known = await read_config(link, PJSIP)
    if known is None:
        raise PbxConfigRefused(f"{PJSIP} cannot be read by the PBX, so nothing was written: mend it first.")
    ours = {section.name.casefold() for section in before}
    theirs = {name.casefold() for name in known.names()} - ours
    taken = sorted(section.name for section in sections if section.name.casefold() in theirs)
    if taken:
        raise Conflict(f"the PBX has objects of its own by these names: {', '.join(taken)}")


async def _reload(link: AmiLink, wanted: Sequence[Managed], removed: str | None) -> None:
    deadline = asyncio.get_running_loop().time() + TAKEN_SECONDS
    reloaded = await link.send("Reload", {"Module": "res_pjsip.so"}, timeout=30)
    while missing := await _not_taken(link, wanted, removed):
        if asyncio.get_running_loop().time() > deadline:
            raise PbxConfigFailed(
                f"After the reload the PBX does not have {', '.join(missing)} as written, so all was brought back: look for "
                f"errors about {PJSIP} or {file.FILE} in its log."
            )
        if not reloaded.ok:
            reloaded = await link.send("Reload", {"Module": "res_pjsip.so"}, timeout=30)
        await asyncio.sleep(_POLL)


async def _not_taken(link: AmiLink, wanted: Sequence[Managed], removed: str | None) -> list[str]:
    known = await registrations(link)
    missing = []
    for trunk in wanted:
        sighting = await look(link, trunk.endpoint, known)
        if not _is_taken(trunk, sighting):
            missing.append(trunk.endpoint)
    if removed is not None and (await look(link, removed, known)).there:
        missing.append(f"{removed} removed")
    return missing


def _is_taken(trunk: Managed, sighting: Sighting) -> bool:
    """Whether the PBX runs what was written, not what it had before."""
    endpoint, aor, auth = (sighting.detail(f"{kind}Detail") for kind in ("Endpoint", "Aor", "Auth"))
    if not sighting.there or endpoint.get("Allow", "").strip("()").split("|") != list(trunk.setup.codecs):
        return False
    if aor.get("Contacts", "") != f"{trunk.endpoint}-aor/sip:{trunk.setup.address()}":
        return False
    if aor.get("QualifyFrequency") != str(trunk.setup.qualify_seconds):
        return False
    if (auth.get("Password") or None) != trunk.secret or (auth and auth.get("Username") != trunk.setup.username):
        return False
    registration = sighting.registration
    server = registration.server if registration else None
    return server == (f"sip:{trunk.setup.address()}" if trunk.registration else None)


async def _bring_back(
    link: AmiLink, before: Sequence[Section], size: int | None, registration: str | None, why: BaseException
) -> None:
    """Shielded: whoever asked may have gone away, the PBX must not be left half done."""
    log.warning("trunks.bringing_back", pbx=link.account.name, why=type(why).__name__)

    async def back() -> None:
        if size is not None:
            await cut(link, PJSIP, size)
        await file.write(link, before)
        await link.send("Reload", {"Module": "res_pjsip.so"}, timeout=30)
        if registration is not None and any(section.name == registration for section in before):
            await link.send("PJSIPRegister", {"Registration": registration})

    try:
        await asyncio.shield(back())
    except (PbxConfigFailed, PbxUnavailable, AnswerUnknown) as fault:
        detail = why.detail if isinstance(why, Fault) else "the request was given up"
        raise HalfDone(
            f"{detail} Taking it back failed too ({fault.detail}); it is tried again until it succeeds, and the trunks of "
            "this PBX cannot be changed before."
        ) from why
