"""A carrier's file beside our books: what each side lacks, what counts, and that importing again changes nothing."""

from typing import Any

import pytest
from aiohttp import FormData
from sqlalchemy import func, select

from crm_bridge.carrier.tables import carrier_imports, carrier_records
from recordings.tables import incidents
from telephony.tables import contacts
from tests.support.api import Service
from tests.support.carrier_calls import FORMAT, TRUNK, at, file, line, our_call
from tests.support.desk import MOBILE, case, party

OTHER = "+8613800138111"
PATH = "/v1/trunks/main/cdr"


@pytest.fixture
async def desk(service: Service) -> Service:
    """An admin, a trunk whose format is set, and a case whose party has MOBILE."""
    await service.add("root", "admin")
    await service.add("chen", "supervisor")
    await service.add("crm", "crm")
    await service.post("/v1/trunks", "root", TRUNK)
    await service.put("/v1/trunks/main/cdr-format", "root", FORMAT)
    await service.put("/v1/cases/c1", "crm", case(), status=201)
    return service


async def send(desk: Service, content: str | bytes, status: int = 200, query: str = "", user: str = "root") -> Any:
    data = content.encode() if isinstance(content, str) else content
    response = await desk.ask("POST", f"{PATH}{query}", user, data=data, headers={"Content-Type": "text/csv"})
    assert response.status == status, await response.text()
    return await response.json(content_type=None)


async def books(desk: Service) -> list[int]:
    """How much there is of all that an import writes."""
    tables = (carrier_records, carrier_imports, incidents, contacts)
    async with desk.database.read() as connection:
        counts = [await connection.scalar(select(func.count()).select_from(table)) for table in tables]
    entries = await desk.journal("call.violation", "recording.incident", "contact.recorded", "carrier.imported")
    return [*(count or 0 for count in counts), len(entries)]


async def test_calls_that_both_have_are_paired_by_number_and_time(desk: Service) -> None:
    first = await our_call(desk.database, MOBILE, "10:00:00")
    second = await our_call(desk.database, MOBILE, "10:00:50", talked=None)
    await our_call(desk.database, OTHER, "10:00:10")
    report = await send(
        desk, file(line(MOBILE, "10:00:20"), line(MOBILE, "10:01:10", 0, "19"), line("013800138111", "10:00:11"))
    )
    assert report["matched"] == 3
    assert [report[kind]["count"] for kind in ("carrier_only", "ours_only", "durations")] == [0, 0, 0]
    async with desk.database.read() as connection:
        wanted = select(carrier_records.c.call_id).where(carrier_records.c.number == MOBILE)
        paired = (await connection.scalars(wanted.order_by(carrier_records.c.started_at))).all()
    assert paired == [first, second]


async def test_a_call_that_only_the_carrier_has_is_a_violation_an_incident_and_an_attempt(desk: Service) -> None:
    report = await send(
        desk, file(line(MOBILE, "10:00:00", 42), line("10086", "11:00:00", 0, "486"), line("110", "12:00:00"))
    )
    assert report["carrier_only"]["count"] == 3
    assert (report["attempts_counted"], report["incidents_opened"]) == (1, 2)
    listed = (await desk.get("/v1/incidents?kind=carrier-only", "chen"))["items"]
    assert {incident["detail"]["number"] for incident in listed} == {MOBILE, "10086"}
    violations = await desk.journal("call.violation")
    assert [entry.data["violation"] for entry in violations] == ["carrier_only", "carrier_only"]
    async with desk.database.read() as connection:
        [contact] = (await connection.execute(select(contacts))).all()
    assert (contact.party_id, contact.number, contact.by, contact.outcome) == ("p1", MOBILE, "us", "conversation")
    assert contact.at == at("10:00:00")
    assert violations[0].data["contacts"] == [contact.id]


async def test_a_number_of_two_people_counts_for_both_and_once_on_the_number(desk: Service) -> None:
    await desk.put("/v1/cases/c2", "crm", case(parties=[party(id="p2")]), status=201)
    report = await send(desk, file(line(MOBILE, "10:00:00", 0, "17")))
    assert report["attempts_counted"] == 2
    async with desk.database.read() as connection:
        rows = (await connection.execute(select(contacts).order_by(contacts.c.party_id))).all()
    assert [(row.party_id, row.number, row.outcome) for row in rows] == [("p1", MOBILE, "busy"), ("p2", None, "busy")]


async def test_a_number_that_nobody_holds_counts_on_the_number_for_who_comes_to_hold_it(desk: Service) -> None:
    report = await send(desk, file(line(OTHER, "10:00:00")))
    assert report["attempts_counted"] == 1
    async with desk.database.read() as connection:
        [contact] = (await connection.execute(select(contacts))).all()
    assert (contact.party_id, contact.number, contact.outcome) == ("", OTHER, "conversation")


async def test_a_leg_that_the_watch_on_the_trunk_hung_up_is_no_second_violation(desk: Service) -> None:
    stray = await our_call(desk.database, MOBILE, "10:00:00", trunk=None, talked=None)
    report = await send(desk, file(line(MOBILE, "10:00:00", 0, "16")))
    assert (report["matched"], report["attempts_counted"], report["incidents_opened"]) == (1, 0, 0)
    async with desk.database.read() as connection:
        assert await connection.scalar(select(carrier_records.c.call_id)) == stray


async def test_a_call_of_ours_that_the_carrier_lacks_is_in_doubt_until_its_record_comes(desk: Service) -> None:
    await our_call(desk.database, OTHER, "09:00:00")
    missing = await our_call(desk.database, MOBILE, "10:00:00")
    unseen = await our_call(desk.database, MOBILE, "11:00:00", leg=False)
    await our_call(desk.database, MOBILE, "10:30:00", trunk="another")
    await our_call(desk.database, MOBILE, "23:00:00")  # after the file's last
    report = await send(desk, file(line(OTHER, "09:00:01"), line(OTHER, "12:00:00")))
    assert report["ours_only"]["count"] == 2
    listed = (await desk.get("/v1/incidents?kind=carrier-lacks", "root"))["items"]
    assert {incident["call_id"] for incident in listed} == {missing, unseen}
    await send(desk, file(line(MOBILE, "10:00:02")))
    [left] = (await desk.get("/v1/incidents?kind=carrier-lacks", "root"))["items"]
    assert left["call_id"] == unseen


async def test_a_file_may_be_said_to_cover_more_than_its_rows(desk: Service) -> None:
    await our_call(desk.database, MOBILE, "23:00:00")
    rows = file(line(OTHER, "09:00:01"))
    assert (await send(desk, rows))["ours_only"]["count"] == 0
    query = "?since=2026-06-01T00:00:00%2B08:00&until=2026-06-02T00:00:00%2B08:00"
    report = await send(desk, rows, query=query)
    assert report["ours_only"]["count"] == 1
    assert report["covers"]["from"] == "2026-06-01T00:00:00+08:00"


async def test_the_same_file_again_changes_nothing(desk: Service) -> None:
    await our_call(desk.database, OTHER, "10:00:00")
    await our_call(desk.database, OTHER, "11:00:00")
    rows = file(line(OTHER, "10:00:00"), line(MOBILE, "10:30:00"), line(MOBILE, "10:30:00"), line(MOBILE, "12:00:00"))
    first = await send(desk, rows)
    assert first["attempts_counted"] == 3
    [doubt] = (await desk.get("/v1/incidents?kind=carrier-lacks", "root"))["items"]
    await desk.post(f"/v1/incidents/{doubt['id']}/close", "root", {"reason": "billed later"}, status=200)
    before = await books(desk)
    again = await send(desk, rows)
    assert await books(desk) == before
    assert (again["seen_before"], again["attempts_counted"], again["incidents_opened"]) == (4, 0, 0)
    same = ("matched", "import_id")
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    assert again["carrier_only"]["count"] == 3
    part = await send(desk, file(line(MOBILE, "12:00:00"), line(MOBILE, "13:00:00")))
    assert (part["seen_before"], part["attempts_counted"]) == (1, 1)


async def test_a_dry_run_tells_the_same_and_writes_nothing(desk: Service) -> None:
    await our_call(desk.database, OTHER, "10:00:00")
    rows = file(line(MOBILE, "10:30:00"), line(OTHER, "11:00:00"), "nonsense")
    before = await books(desk)
    tried = await send(desk, rows, query="?dry_run=true")
    assert await books(desk) == before
    done = await send(desk, rows)
    told = ("matched", "carrier_only", "ours_only", "rows", "bad_rows", "durations")
    assert {name: tried[name] for name in told} == {name: done[name] for name in told}
    assert tried["import_id"] is None


async def test_lengths_that_differ_are_told(desk: Service) -> None:
    longer = await our_call(desk.database, MOBILE, "10:00:00", talked=100)
    await our_call(desk.database, MOBILE, "11:00:00", talked=100)
    never = await our_call(desk.database, MOBILE, "12:00:00", talked=None)
    report = await send(
        desk, file(line(MOBILE, "10:00:00", 60), line(MOBILE, "11:00:00", 103), line(MOBILE, "12:00:00", 30))
    )
    told = [(one["call_id"], one["theirs"], one["ours"]) for one in report["durations"]["items"]]
    assert told == [(longer, 60, 100), (never, 30, None)]


async def test_bad_rows_are_listed_with_their_line_and_none_is_lost(desk: Service) -> None:
    bad = [
        "2026-13-01 10:00:00,13800138000,x,1,16",
        "2026-06-01 10:00:00,not a number,x,1,16",
        "2026-06-01 10:00:00,13800138000,x,minus,16",
        "2026-06-01 10:00:00",
        '2026-06-01 10:00:00,"13800138000,x,1,16',
        "2099-06-01 10:00:00,13800138000,x,1,16",
    ]
    report = await send(desk, file(*bad, line(OTHER, "10:00:00")))
    assert [row["line"] for row in report["bad_rows"]] == [2, 3, 4, 5, 6, 7]
    assert report["rows"] == {"used": 1, "bad": 6, "left_out": 0}
    for row, word in zip(
        report["bad_rows"], ("start", "called", "duration", "columns", "end of data", "future"), strict=True
    ):
        assert word in row["reason"], row


async def test_a_carriers_own_form_is_read_by_its_format(desk: Service) -> None:
    await our_call(desk.database, MOBILE, "10:00:00", talked=65)
    how = {
        "encoding": "gbk", "delimiter": ";", "skip_lines": 1, "time_format": "%Y/%m/%d %H:%M:%S", "duration_unit": "clock",
        "strip_prefixes": ["9"], "only": {"类型": ["呼出"]}, "answered_values": ["是"],
        "columns": {"start": ["日期", "时间"], "called": "被叫", "duration": "时长", "answered": "接通", "caller": "主叫"},
    }  # fmt: skip
    await desk.put("/v1/trunks/main/cdr-format", "root", how)
    assert (await desk.get("/v1/trunks/main/cdr-format", "chen"))["columns"]["called"] == "被叫"
    text = (
        "话单\r\n类型;日期;时间;主叫;被叫;时长;接通\r\n呼出;2026/06/01;10:00:03;861055550000;913800138000;1:05;是\r\n"
        "呼入;2026/06/01;10:00:03;13800138000;861055550000;1:05;是\r\n"
    )
    report = await send(desk, text.encode("gbk") + b"\xff\xff;x\r\n")
    assert (report["matched"], report["durations"]["count"]) == (1, 0)
    assert report["rows"] == {"used": 1, "bad": 1, "left_out": 1}
    assert "gbk" in report["bad_rows"][0]["reason"]
    [entry] = [entry for entry in await desk.journal("carrier.format_changed") if entry.data["before"]]
    assert entry.actor == "root"


async def test_a_form_with_a_large_file_is_taken(desk: Service) -> None:
    rows = [
        line("10086", f"{hour:02}:{minute:02}:{second:02}")
        for hour in range(8)
        for minute in range(60)
        for second in range(60)
    ]
    form = FormData()
    form.add_field("note", "before the file")
    form.add_field("file", file(*rows).encode(), filename="june.csv", content_type="text/csv")
    response = await desk.ask("POST", f"{PATH}?dry_run=true", "root", data=form)
    report = await response.json()
    assert response.status == 200, report
    assert report["file"]["name"] == "june.csv"
    assert report["file"]["bytes"] > 1024 * 1024
    assert report["carrier_only"]["count"] == len(rows)
    assert len(report["carrier_only"]["items"]) == 500


async def test_a_wrong_zone_is_warned_of(desk: Service) -> None:
    for minute in range(25):
        await our_call(desk.database, MOBILE, f"10:{minute:02}:00")
    rows = file(*(line(MOBILE, f"02:{minute:02}:00") for minute in range(25)), line(OTHER, "23:00:00"))
    report = await send(desk, rows, query="?dry_run=true")
    assert "zone" in report["warnings"][0]


@pytest.mark.parametrize("user", ["chen", "crm"])
async def test_only_admins_import(desk: Service, user: str) -> None:
    await send(desk, file(), status=403, user=user)


async def test_bad_files_and_formats_are_refused_with_the_field(desk: Service) -> None:
    assert (await send(desk, "", status=422))["errors"][0]["field"] == "file"
    problem = await send(desk, "when,whom\n1,2\n", status=422)
    assert problem["errors"][0]["field"] == "columns"
    assert "when, whom" in problem["detail"]
    empty = FormData()
    empty.add_field("other", b"x", filename="x")
    response = await desk.ask("POST", PATH, "root", data=empty)
    assert response.status == 422
    response = await desk.ask("POST", PATH, "root", data=b"x", headers={"Content-Type": "multipart/form-data"})
    assert response.status == 422
    response = await desk.ask("POST", "/v1/trunks/none/cdr", "root", data=b"x")
    assert response.status == 404
    for change, field in (
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"encoding": "klingon"}, "encoding"),
        ({"delimiter": ",,"}, "delimiter"),
        ({"tolerance_seconds": -1}, "tolerance_seconds"),
        ({"columns": {"called": "x", "y": "z"}}, "columns.y"),
        ({"header": False}, ""),
    ):
        problem = await desk.put("/v1/trunks/main/cdr-format", "root", change, status=422)
        assert problem["errors"][0]["field"] == field, problem
    await desk.put("/v1/trunks/none/cdr-format", "root", {}, status=404)


async def test_imports_are_listed_newest_first(desk: Service) -> None:
    await send(desk, file(line(OTHER, "10:00:00")), query="?file=june.csv")
    await send(desk, file(line(OTHER, "11:00:00")), query="?file=july.csv")
    listed = (await desk.get(PATH, "chen"))["items"]
    assert [one["file"] for one in listed] == ["july.csv", "june.csv"]
    assert listed[0]["counts"]["carrier_only"] == 1
