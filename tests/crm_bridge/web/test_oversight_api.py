"""The journal over HTTP: searched, taken along, checked against the log; and the wallboard's figures, each in the asker's scope."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from config import clock
from config.journal import Entry, journal
from config.settings import Keys
from recordings.checkpoints import Signer
from recordings.evidence_log import EvidenceLog
from tests.support.api import Service
from tests.support.desk import finished_call

AT = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)


async def _write(service: Service, *entries: Entry) -> None:
    async with service.database.write() as transaction:
        for entry in entries:
            transaction.journal(entry)


def _note(minute: int, text: str, *, agent: str = "li", client: str = "bank", kind: str = "note.written") -> Entry:
    at = AT + timedelta(minutes=minute)
    return Entry(at, kind, agent, client, agent, f"c{minute}", data={"text": text})


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("q=%E5%91%A8%E4%BA%94", ["c1"]),
        ("q=100%25", ["c2"]),
        ("q=%25", None),
        ("q=say+%22no%22", ["c3"]),
        ("kind=note.", ["c3", "c2", "c1"]),
        ("kind=note.written", ["c2", "c1"]),
        ("kind=note", []),
        ("actor=wang", ["c3"]),
        ("agent=li&case_id=c2", ["c2"]),
        ("since=2026-06-01T10:02:00%2B08:00&kind=note.", ["c3", "c2"]),
        ("until=2026-06-01T02:02:00Z&kind=note.", ["c1"]),
        ("q=%E5%91%A8%E4%BA%94&agent=wang", []),
    ],
)
async def test_the_journal_is_found_by_text_kind_person_case_and_time(
    service: Service, asked: str, found: list[str] | None
) -> None:
    await service.add("root", "admin")
    await _write(
        service,
        _note(1, "承诺周五还款"),
        _note(2, "100% of it, _soon_"),
        _note(3, 'they say "no"', agent="wang", kind="note.failed"),
    )
    if found is None:
        await service.get(f"/v1/journal?{asked}", "root", status=422)
        return
    listed = await service.get(f"/v1/journal?{asked}", "root")
    assert [entry["case_id"] for entry in listed["items"]] == found


@pytest.mark.parametrize(
    ("asked", "field"),
    [("since=yesterday", "since"), ("cursor=x", "cursor"), ("colour=red", "colour"), ("limit=0", "limit")],
)
async def test_bad_questions_name_the_field(service: Service, asked: str, field: str) -> None:
    await service.add("root", "admin")
    for path in ("/v1/journal", "/v1/journal/export"):
        problem = await service.get(f"{path}?{asked}", "root", status=422)
        assert problem["errors"][0]["field"] == field


async def _export(service: Service, user: str, asked: str = "") -> list[list[str]]:
    answer = await service.ask("GET", f"/v1/journal/export?{asked}", user)
    assert answer.status == 200
    return list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"))))


async def test_an_export_holds_all_that_matches_is_in_scope_and_is_journalled(service: Service) -> None:
    await service.add("root", "admin")
    await service.add("lead", "supervisor", clients=["bank"])
    await _write(service, *(_note(minute, "=1+1") for minute in range(700)), _note(1, "other", client="loans"))
    rows = await _export(service, "root", "kind=note.")
    assert (len(rows), rows[0][:3]) == (702, ["id", "at", "kind"])
    assert [int(row[0]) for row in rows[1:]] == sorted(int(row[0]) for row in rows[1:])
    assert {row[4] for row in (await _export(service, "lead"))[1:]} == {"bank"}
    exported = await service.journal("journal.exported")
    assert [(entry.actor, entry.data["query"]) for entry in exported] == [("root", {"kind": "note."}), ("lead", {})]


async def test_the_check_of_the_chain_finds_what_was_changed(service: Service, tmp_path: Path) -> None:
    await service.add("root", "admin")
    await _write(service, _note(1, "as it was"))
    evidence = EvidenceLog(
        database=service.database, signer=Signer(Keys(master=tmp_path / "master.key").signing), folder=None
    )
    await evidence.seal(clock.now())
    told = await service.post("/v1/journal/verify", "root", {}, status=200)
    assert (told["holds"], told["problems"]) == (True, []), told
    async with service.database.write() as transaction:
        forged = update(journal).where(journal.c.case_id == "c1").values(data={"text": "as it never was"})
        await transaction.execute(forged)
    told = await service.post("/v1/journal/verify", "root", {}, status=200)
    assert told["holds"] is False
    assert told["problems"]
    assert [entry.data["holds"] for entry in await service.journal("journal.verified")] == [True, False]


async def test_the_wallboard_counts_what_the_asker_oversees(service: Service) -> None:
    now = clock.now()
    await service.add("root", "admin")
    await service.add("crm", "crm")
    await service.add("lead", "supervisor", team="north")
    await service.add("bound", "qa", clients=["loans"])
    for name, team in (("li", "north"), ("wang", "south")):
        await service.add(name, "collector", team=team, extension="1001" if name == "li" else "1002", pbx="main")
        await service.put(
            f"/v1/cases/case-{name}", "crm", {"client": "bank", "debts": ["d"], "collector": name}, status=201
        )
    live: dict[str, Any] = {"ended_at": None, "outcome": "live", "end_reason": None}
    await finished_call(service.database, now, agent="li", case_id="case-li", state="connected", **live)
    await finished_call(service.database, now, agent="wang", case_id="case-wang", state="held", **live)
    await finished_call(service.database, now, agent="wang", case_id="case-wang", state="calling_customer", **live)
    await finished_call(service.database, now, agent="li", case_id="case-li")
    await finished_call(service.database, now, agent="wang", case_id="case-wang", connected=False)
    await finished_call(service.database, now - timedelta(days=2), agent="li", case_id="case-li")
    board = await service.get("/v1/wallboard", "root")
    assert board["calls"] == {"live": 3, "talking": 2, "held": 1, "ringing": 1, "waiting": 0}
    assert (board["today"]["conversations"], board["agents"]["on_call"]) == (1, 2)
    mine = await service.get("/v1/wallboard", "lead")
    assert (mine["calls"]["live"], mine["today"]["conversations"], mine["agents"]["on_call"]) == (1, 1, 1)
    none = await service.get("/v1/wallboard", "bound")
    assert (none["calls"]["live"], none["today"]["calls"]) == (0, 0)
    assert "li" not in str(board).replace("live", "").replace("calls", "")
