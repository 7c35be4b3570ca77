"""Importing cases: check, dry run, run, confirmation; nothing lost and nothing half done."""

import asyncio
import csv
import io
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from python_calamine import load_workbook
from sqlalchemy import func, select, update

from config import clock
from config.database import DatabaseUnavailable
from crm_bridge.imports import running, uploads
from crm_bridge.imports.tables import import_chunks, import_rows, imports
from crm_bridge.tables import case_parties, cases, numbers, parties
from tests.support.api import Service
from tests.support.desk import case, party
from tests.support.imports import checked, csv_file, line, mapping, problems, ran, sent, worker


async def counted(desk: Service, table: Any) -> int:
    async with desk.database.read() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def at_least(desk: Service, count: int) -> None:
    """Wait until so many cases are written."""
    for _ in range(6000):
        if await counted(desk, cases) >= count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"there are {await counted(desk, cases)} cases")


async def test_a_file_is_looked_at_first_and_columns_are_suggested(desk: Service) -> None:
    found = await sent(desk, csv_file(line("A1"), encoding="gb18030"), name="../../etc/清单.csv")
    assert (found["state"], found["file_name"], len(found["sha256"])) == ("uploaded", "清单.csv", 64)
    assert (found["preview"]["encoding"], found["preview"]["header_row"]) == ("gb18030", 1)
    assert found["preview"]["rows"][0][:2] == ["A1", "王伟"]
    suggested = {one["column"]: (one["field"], one["person"]) for one in found["preview"]["suggested"]}
    assert suggested["联系人1电话"] == ("number", 1)
    assert suggested["委托到期日"] == ("mandate_until", 0)
    assert await counted(desk, cases) == 0


async def test_a_file_is_checked_tried_imported_and_confirmed(desk: Service) -> None:
    rows = [
        line("A1", 身份证号="41010119900307751x", 卡号="6225880212341877", 委托到期日="2027/3/31", 联系人1姓名="李静",
             联系人1关系="配偶", 联系人1电话="13900139000", 单位电话="0371-6555 1234 转 802"),
        line("A2", 姓名="赵敏", 手机号码="13700137001/13700137002"),
    ]  # fmt: skip
    done = await checked(desk, csv_file(*rows))
    assert (done["state"], done["counts"]["ready"], done["counts"].get("bad", 0)) == ("checked", 2, 0)
    assert await problems(desk, done["id"]) == [(2, "单位电话", "extension")]
    tried = await ran(desk, done["id"], dry_run=True)
    assert (tried["state"], tried["tried"]["counts"]) == ("checked", {"created": 2})
    assert await counted(desk, cases) == 0
    assert await desk.journal("case.created") == []
    over = await ran(desk, done["id"])
    assert (over["state"], over["counts"]["created"]) == ("done", 2)
    shown = await desk.get("/v1/cases/A1", "chen")
    assert (shown["account"], shown["mandate_until"], shown["client"]) == ("6225880212341877", "2027-03-31", "bank")
    debtor, spouse = shown["parties"]
    assert (debtor["name"], debtor["identity"], debtor["relation"]) == ("王伟", "41010119900307751X", "debtor")
    assert [(one["e164"], one["kind"], one["extension"]) for one in debtor["numbers"]] == [
        ("+8613800138000", "mobile", None), ("+8637165551234", "work", "802"),
    ]  # fmt: skip
    assert (spouse["name"], spouse["relation"], spouse["locations"][0]["zone"]) == ("李静", "spouse", "Asia/Shanghai")
    assert len((await desk.get("/v1/cases/A2", "chen"))["parties"][0]["numbers"]) == 2
    assert len(await desk.journal("case.created")) == 2
    confirmed = await desk.post(f"/v1/imports/{done['id']}/confirm", "chen", {"to": "ops@bank"}, status=200)
    assert (confirmed["confirmed_by"], confirmed["confirmed_to"]) == ("chen", "ops@bank")
    await desk.post(f"/v1/imports/{done['id']}/confirm", "chen", {"to": "x"}, status=409)
    kinds = ("import.uploaded", "import.checked", "import.tried", "import.started", "import.done", "import.confirmed")
    assert [entry.kind for entry in await desk.journal(*kinds)] == list(kinds)
    assert (await desk.journal("import.confirmed"))[0].data["in_time"] is True


async def test_the_same_file_again_changes_nothing(desk: Service) -> None:
    file = csv_file(line("A1", 身份证号="410101199003077516"), line("A2"))
    await ran(desk, (await checked(desk, file))["id"])
    again = await ran(desk, (await checked(desk, file))["id"])
    assert (again["counts"]["known"], again["counts"]["unchanged"]) == (2, 2)
    assert again["counts"].get("created", 0) == 0
    changed = await checked(desk, csv_file(line("A1", 姓名="王大伟"), line("A3")))
    tried = await ran(desk, changed["id"], dry_run=True)
    assert tried["tried"]["counts"] == {"created": 1, "updated": 1}
    assert tried["tried"]["examples"][0]["case_id"] == "A1"
    over = await ran(desk, changed["id"])
    assert (over["counts"]["created"], over["counts"]["updated"]) == (1, 1)


async def test_rows_with_problems_are_left_out_only_on_purpose(desk: Service) -> None:
    done = await checked(desk, csv_file(line("A1"), line("A2", 手机号码="12345"), line("A3")))
    assert (done["counts"]["ready"], done["counts"]["bad"]) == (2, 1)
    problem = await desk.post(f"/v1/imports/{done['id']}/run", "chen", {}, status=409)
    assert "1 rows" in problem["detail"]
    over = await ran(desk, done["id"], despite_problems=True)
    assert (over["state"], over["counts"]["created"], over["counts"]["bad"]) == ("done", 2, 1)
    outcomes = [row["outcome"] for row in (await desk.get(f"/v1/imports/{done['id']}/rows", "chen"))["items"]]
    assert outcomes == ["created", "bad", "created"]


async def test_duplicates_in_the_file_and_with_what_is_here_are_named(desk: Service) -> None:
    await desk.put("/v1/cases/K1", "crm", case(parties=[party("k")]), status=201)
    await desk.put("/v1/cases/K2", "crm", case(client="elsewhere", parties=[party("k2")]), status=201)
    await desk.post("/v1/cases/K1/state", "chen", {"action": "close", "reason": "x"}, status=200)
    rows = [line("A1"), line("A1"), line("A1", 姓名="赵敏"), line("K1"), line("K2")]
    done = await checked(desk, csv_file(*rows))
    assert await problems(desk, done["id"]) == [
        (3, None, "same-row"), (4, None, "same-case"), (5, None, "not-open"), (6, None, "other-client"),
    ]  # fmt: skip
    refusing = await checked(desk, csv_file(line("K1")), known_cases="refuse")
    assert await problems(desk, refusing["id"]) == [(2, None, "known-case")]


async def test_rows_of_one_case_are_merged_where_the_mapping_says_so(desk: Service) -> None:
    rows = [
        line("A1", 联系人1姓名="李静", 联系人1关系="配偶", 联系人1电话="13900139000"),
        line("A1", 手机号码="13700137000", 联系人1姓名="张三", 联系人1关系="朋友", 联系人1电话="13900139001"),
        line("A2"),
        line("A2", 手机号码="123"),
        line("A3", 卡号="1"),
        line("A3", 卡号="2"),
    ]
    done = await checked(desk, csv_file(*rows), rows_of_a_case="merge")
    assert await problems(desk, done["id"]) == [
        (4, None, "first-is-bad"), (5, "手机号码", "bad-number"), (6, None, "first-is-bad"), (7, None, "differs"),
    ]  # fmt: skip
    over = await ran(desk, done["id"], despite_problems=True)
    assert over["counts"]["created"] == 1
    people = (await desk.get("/v1/cases/A1", "chen"))["parties"]
    assert [(one["name"], len(one["numbers"])) for one in people] == [("王伟", 2), ("李静", 1), ("张三", 1)]
    await desk.get("/v1/cases/A2", "chen", status=404)


async def test_one_person_with_two_cases_is_one_party_by_the_identity_number(desk: Service) -> None:
    rows = [line("A1", 身份证号="410101199003077516"), line("A2", 身份证号="410101199003077516")]
    await ran(desk, (await checked(desk, csv_file(*rows)))["id"])
    more = csv_file(line("A3", 身份证号="410101199003077516"), line("A4"))
    await ran(desk, (await checked(desk, more))["id"])
    async with desk.database.read() as connection:
        linked = (await connection.execute(select(case_parties.c.case_id, case_parties.c.party_id))).all()
    owners = {row.case_id: row.party_id for row in linked}
    assert owners["A1"] == owners["A2"] == owners["A3"] != owners["A4"]
    found = (await desk.get("/v1/cases?q=410101199003077516", "chen"))["items"]
    assert [one["id"] for one in found] == ["A1", "A2", "A3"]


async def _lease_over(desk: Service) -> None:
    """As after the lease has run out; SQLite may need a moment to give up what the cancelled task had locked."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with desk.database.write() as transaction:
                    await transaction.execute(update(imports).values(due_at=clock.now() - timedelta(seconds=1)))
                return
            except DatabaseUnavailable:
                await asyncio.sleep(0.1)


async def test_an_import_that_was_interrupted_goes_on_where_it_was(desk: Service, monkeypatch: Any) -> None:
    monkeypatch.setattr(running, "BATCH", 10)
    done = await checked(desk, csv_file(*(line(f"A{one:03d}") for one in range(60))))
    await desk.post(f"/v1/imports/{done['id']}/run", "chen", {}, status=200)
    task = asyncio.create_task(worker(desk).tick())
    await at_least(desk, 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    part = await counted(desk, cases)
    assert part % 10 == 0
    await _lease_over(desk)
    await worker(desk).tick()
    over = await desk.get(f"/v1/imports/{done['id']}", "chen")
    assert (over["state"], over["counts"]["created"]) == ("done", 60)
    assert await counted(desk, cases) == await counted(desk, parties) == await counted(desk, numbers) == 60
    assert len(await desk.journal("case.created")) == 60


async def test_two_workers_do_not_do_the_same_twice(desk: Service) -> None:
    done = await checked(desk, csv_file(*(line(f"A{one:03d}") for one in range(40))))
    await desk.post(f"/v1/imports/{done['id']}/run", "chen", {}, status=200)
    await asyncio.gather(worker(desk).tick(), worker(desk).tick())
    over = await desk.get(f"/v1/imports/{done['id']}", "chen")
    assert (over["state"], over["counts"]["created"]) == ("done", 40)
    assert len(await desk.journal("case.created")) == 40


async def test_a_canceled_import_stops_between_batches_and_what_is_written_is_named(
    desk: Service, monkeypatch: Any
) -> None:
    monkeypatch.setattr(running, "BATCH", 5)
    done = await checked(desk, csv_file(*(line(f"A{one:03d}") for one in range(100))))
    await desk.post(f"/v1/imports/{done['id']}/run", "chen", {}, status=200)
    task = asyncio.create_task(worker(desk).tick())
    await at_least(desk, 5)
    await desk.post(f"/v1/imports/{done['id']}/cancel", "chen", {"reason": "the wrong file"}, status=200)
    await task
    over = await desk.get(f"/v1/imports/{done['id']}", "chen")
    written = await counted(desk, cases)
    assert (over["state"], over["counts"]["created"]) == ("canceled", written)
    async with desk.database.read() as connection:
        marked = import_rows.c.outcome == "created"
        assert await connection.scalar(select(func.count()).where(marked)) == written
    await desk.post(f"/v1/imports/{done['id']}/run", "chen", {}, status=409)


async def test_what_the_case_is_refused_for_is_told_and_the_others_go_in(desk: Service) -> None:
    done = await checked(desk, csv_file(line("A1"), line("A2"), line("A3")))
    await desk.put("/v1/cases/A2", "crm", case(client="elsewhere", parties=[party("x")]), status=201)
    over = await ran(desk, done["id"])
    assert (over["counts"]["created"], over["counts"]["refused"]) == (2, 1)
    assert await problems(desk, done["id"]) == [(3, None, "refused")]
    assert (await desk.get("/v1/cases/A2", "root"))["client"] == "elsewhere"


async def test_only_those_of_the_client_import_for_it(desk: Service) -> None:
    found = await sent(desk, csv_file(line("A1")))
    assert (await desk.ask("POST", "/v1/imports?client=bank", "li", data=b"x")).status == 403
    assert (await desk.ask("POST", "/v1/imports?client=bank", "other", data=b"x")).status == 403
    assert (await desk.ask("POST", "/v1/imports?client=bank", data=b"x")).status == 401
    await desk.get(f"/v1/imports/{found['id']}", "other", status=404)
    await desk.get(f"/v1/imports/{found['id']}/rows", "other", status=404)
    assert (await desk.get("/v1/imports", "other"))["items"] == []
    assert (await desk.ask("GET", f"/v1/imports/{found['id']}/confirmation", "other")).status == 404


async def test_an_empty_file_a_too_large_one_and_an_unknown_client_leave_nothing(
    desk: Service, monkeypatch: Any
) -> None:
    for path, status in (("/v1/imports?client=bank", 422), ("/v1/imports", 422), ("/v1/imports?client=a/b", 422)):
        assert (await desk.ask("POST", path, "chen", data=b"")).status == status
    assert (await desk.ask("POST", "/v1/imports?client=bank&mapping=nope", "chen", data=b"x")).status == 404
    monkeypatch.setattr(uploads, "LARGEST", 1000)
    response = await desk.ask("POST", "/v1/imports?client=bank", "chen", data=b"x" * 3_000_000)
    assert (response.status, (await response.json())["type"]) == (413, "/problems/file-too-large")
    assert await counted(desk, imports) == await counted(desk, import_chunks) == 0


async def test_a_file_may_come_as_a_form(desk: Service) -> None:
    form = aiohttp.FormData()
    form.add_field("note", "x")
    form.add_field("file", csv_file(line("A1")), filename="f.csv", content_type="text/csv")
    response = await desk.ask("POST", "/v1/imports?client=bank&file_name=f.csv", "chen", data=form)
    assert response.status == 201
    assert (await response.json())["preview"]["rows"][0][0] == "A1"


async def test_a_mapping_is_kept_by_name_and_the_next_file_goes_by_it(desk: Service) -> None:
    await desk.put("/v1/import-mappings/bank/monthly", "chen", mapping(), status=201)
    await desk.put("/v1/import-mappings/bank/monthly", "chen", mapping(bad_numbers="leave_out"))
    await desk.put("/v1/import-mappings/bank/monthly", "other", mapping(), status=403)
    path = "/v1/imports?client=bank&file_name=f.csv&mapping=monthly"
    response = await desk.ask("POST", path, "crm", data=csv_file(line("A1", 手机号码="12345;13800138000")))
    found = await response.json()
    assert (response.status, found["state"], found["mapping_name"]) == (201, "checking", "monthly")
    await worker(desk).tick()
    assert await problems(desk, found["id"], "crm") == [(2, "手机号码", "number-left-out")]
    assert (await ran(desk, found["id"], user="crm"))["counts"]["created"] == 1
    listed = (await desk.get("/v1/import-mappings?client=bank", "chen"))["items"]
    assert [one["name"] for one in listed] == ["monthly"]
    assert (await desk.ask("DELETE", "/v1/import-mappings/bank/monthly", "chen")).status == 204
    assert (await desk.ask("DELETE", "/v1/import-mappings/bank/monthly", "chen")).status == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": []},
        {"columns": [{"column": "姓名", "field": "name"}]},
        {"columns": [{"column": "a", "field": "case_id"}, {"column": "b", "field": "case_id"}]},
        {"columns": [{"column": "a", "field": "case_id"}, {"column": "A ", "field": "name"}]},
        {"columns": [{"column": "a", "field": "password"}]},
        {"columns": [{"column": "a", "field": "case_id", "person": 99}]},
        {"columns": [{"column": "a", "field": "case_id"}], "zone": "Nowhere/Nothing"},
    ],
    ids=["none", "no case", "twice", "one column twice", "no such field", "too many people", "no such zone"],
)
async def test_a_mapping_that_cannot_work_is_refused(desk: Service, wrong: dict[str, Any]) -> None:
    await desk.put("/v1/import-mappings/bank/x", "chen", wrong, status=422)


async def test_a_special_case_has_three_hours_and_the_clock_is_shown(desk: Service) -> None:
    found = await sent(desk, csv_file(line("A1")))
    longer = await desk.post(f"/v1/imports/{found['id']}/extend", "chen", {"reason": "the bank's line is down"}, 200)
    hours = [(one["deadline_at"], one["uploaded_at"]) for one in (found, longer)]
    parsed = [datetime.fromisoformat(until) - datetime.fromisoformat(since) for until, since in hours]
    assert parsed == [timedelta(hours=1), timedelta(hours=3)]
    await desk.post(f"/v1/imports/{found['id']}/extend", "chen", {"reason": "again"}, status=409)


async def test_the_confirmation_names_every_row_and_executes_nothing(desk: Service) -> None:
    formula = '=HYPERLINK("http://x","y")'
    rows = [line("A1"), line("A2", 手机号码="=1+1"), line("A3", 姓名=formula), line("A4", 委托到期日="@SUM(1)")]
    done = await checked(desk, csv_file(*rows))
    over = await ran(desk, done["id"], despite_problems=True)
    response = await desk.ask("GET", f"/v1/imports/{over['id']}/confirmation?format=csv&language=en", "chen")
    text = (await response.read()).decode("utf-8-sig")
    assert "a.csv" in text
    assert over["sha256"] in text
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "+", "-", "\t")]
    assert "'=1+1" in cells
    response = await desk.ask("GET", f"/v1/imports/{over['id']}/confirmation?format=xlsx", "chen")
    assert "attachment" in response.headers["Content-Disposition"]
    book = load_workbook(io.BytesIO(await response.read()))
    sheet = book.get_sheet_by_name("明细").to_python()
    outcomes = {row[0]: row[2] for row in sheet[1:]}
    assert outcomes == {2: "新建案件", 3: "有误未导入", 4: "新建案件", 5: "有误未导入"}
    report = await desk.ask("GET", f"/v1/imports/{over['id']}/report?format=csv&language=en", "chen")
    assert len((await report.read()).decode().splitlines()) == 1 + len(await problems(desk, over["id"]))


async def test_the_file_goes_two_weeks_later_and_what_came_of_it_stays(desk: Service) -> None:
    over = await ran(desk, (await checked(desk, csv_file(line("A1"))))["id"])
    await uploads.empty_old(desk.database, clock.now() + timedelta(days=15))
    await uploads.empty_old(desk.database, clock.now() + timedelta(days=15))
    assert await counted(desk, import_chunks) == 0
    kept = await desk.get(f"/v1/imports/{over['id']}", "chen")
    assert (kept["emptied"], kept["state"], kept["counts"]["created"]) == (True, "done", 1)
    (row,) = (await desk.get(f"/v1/imports/{over['id']}/rows", "chen"))["items"]
    assert (row["outcome"], row["document"]) == ("created", None)
