"""Whether the evidence is whole: every answered leg archived once or asked about, no file lost, none left, no marker."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.engine import Row

from recordings.spool import PROBE, parse
from tests.chaos.books import Books, Finding, read_books
from tests.chaos.calls import Click
from tests.chaos.moments import Scene
from tests.chaos.stage import Stage
from tests.support.floor import PBX

EMPTY = 44
"""Bytes: a file so short holds no sample."""
SHORT = 1.0
"""Seconds: a leg so short may rightly have left nothing."""


async def audit_evidence(stage: Stage, scenes: Sequence[Scene], *, brief: bool) -> list[Finding]:
    """Every violated invariant of recordings, spool, archive and the PBX's own memory, over all rounds so far.

    In a brief look, a recording that still waits, its file, and a marker that is still kept are no findings.
    """
    books = await read_books(stage)
    return [
        *_of_legs(scenes, books),
        *_of_rows(stage, books, brief),
        *_of_spool(stage, books, brief),
        *await _of_pbx(stage, books, brief),
    ]


def _of_legs(scenes: Sequence[Scene], books: Books) -> Iterator[Finding]:
    """From the world's side: who answered is on a recording."""
    for scene in scenes:
        for click in scene.clicks:
            for row in books.calls[click.number]:
                yield from _of_call(scene, click, row, books)


def _of_call(scene: Scene, click: Click, call: Row[Any], books: Books) -> Iterator[Finding]:
    recorded = books.recordings[call.id]
    for uniqueid, count in Counter(row.uniqueid for row in recorded).items():
        if count > 1:
            yield Finding("archived-twice", f"one recording of leg {uniqueid}", call.id, click.number)
    sides = (("agent", books.phone_saw(click)), ("customer", books.carriers_saw(click.number)))
    for role, seen in sides:
        talked = [leg for leg in seen if leg.answered and leg.ended and (leg.ended - leg.answered).seconds >= SHORT]
        mine = [row for row in recorded if row.leg == role]
        if not talked or call.ended_at is None or scene.pbx_killed:
            continue
        if not mine:
            yield Finding("unrecorded", f"a recording of the {role}'s leg, or an incident", call.id, click.number)
        for row in mine:
            doubts = [incident.kind for incident in books.incidents[row.id] if incident.closed_at is None]
            if row.state != "archived" and row.due_at is None and not doubts:
                yield Finding("unrecorded", f"{role}: archived or an incident, not {row.state}", call.id, click.number)
            if doubts and not (scene.spool_broken or scene.clock_moved or scene.pbx_late):
                yield Finding("doubted", f"a whole recording of the {role}: {doubts}", call.id, click.number)


def _of_rows(stage: Stage, books: Books, brief: bool) -> Iterator[Finding]:
    """Rows against the archive's disk."""
    objects = {
        str(path.relative_to(stage.archive))
        for path in stage.archive.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(stage.archive).parts)
    }
    rows = [row for of_call in books.recordings.values() for row in of_call]
    for row in rows:
        if row.state == "archived":
            found = row.object in objects and _sha256(stage, row.object) == row.stored_sha256
            if not found:
                yield Finding("object", f"the object {row.object} with its hash", row.call_id)
        elif row.due_at is not None and not brief:
            said = f"{row.leg}: {row.state}, due {row.due_at:%H:%M:%S}, {row.error or 'no error'}"
            yield Finding("waiting", f"an archived recording or an incident, not {said}", row.call_id)
    ids = {row.id for row in rows}
    for name in objects - {row.object for row in rows}:
        if not any(part in ids for part in name.rsplit("/", 1)[-1].split(".")):
            yield Finding("stray-object", f"a row for the object {name}")


def _sha256(stage: Stage, name: str) -> str:
    with (stage.archive / name).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_spool(stage: Stage, books: Books, brief: bool) -> Iterator[Finding]:
    """No file lost: what was ever seen in the spool is archived or there. None left: what is there has a reason."""
    archived = {row.uniqueid for rows in books.recordings.values() for row in rows if row.state == "archived"}
    there = {path.name for path in stage.spool.iterdir() if not PROBE.fullmatch(path.name)}
    for name, size in stage.spooled.items():
        named = parse(name)
        if named is None or size <= EMPTY:
            continue
        if name not in there and named.uniqueid not in archived:
            yield Finding("file-lost", f"{name} ({size} bytes) in the archive or in the spool", named.call_id)
    for name in () if brief else there:
        subject = f"{PBX}:{name}"
        if not any(incident.closed_at is None for incident in books.incidents[subject]):
            named = parse(name)
            yield Finding("file-left", f"an empty spool: {name}", named.call_id if named else None)


async def _of_pbx(stage: Stage, books: Books, brief: bool) -> list[Finding]:
    """After everything: no channel lives, and AstDB holds nothing about calls that ended."""
    shown = await stage.lab.pbx.console("core show channels concise")
    findings = [
        Finding("channel-left", f"no channel: {line.split('!')[0]}") for line in shown.splitlines() if "!" in line
    ]
    if brief:
        return findings
    ended = {row.id for rows in books.calls.values() for row in rows if row.ended_at is not None}
    kept = await stage.lab.pbx.console("database show ringfence")
    marked = {found.group(1) for found in re.finditer(r"^/ringfence/(?:gate|leg)/(\w+)", kept, re.MULTILINE)}
    return findings + [
        Finding("marker-left", "no AstDB marker of an ended call", call) for call in sorted(marked & ended)
    ]
