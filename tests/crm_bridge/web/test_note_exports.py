"""Notes out in a client's own columns: right, whole, in its encoding, and never executed."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import load_workbook

from config import clock
from crm_bridge import spreadsheets
from tests.support.api import Service
from tests.support.desk import case, finished_call, party

HOSTILE = '=HYPERLINK("http://x","y")'


@pytest.fixture
async def desk(service: Service) -> Service:
    """Two notes of calls on a case of the bank, one with a hostile text and name."""
    for name, role in (("crm", "crm"), ("li", "collector"), ("chen", "supervisor"), ("root", "admin")):
        await service.add(name, role)
    await service.add("other", "supervisor", clients=["elsewhere"])
    await service.put("/v1/cases/c1", "crm", case(parties=[party(name=HOSTILE)]), status=201)
    at = datetime(2026, 6, 1, 2, 0, tzinfo=UTC)
    body = {
        "action_code": "PTP",
        "note": "@SUM(1+1)*cmd|' /C calc'!A0",
        "promise": {"on": "2026-07-01", "amount": "100"},
    }
    for moment in (at, at + timedelta(days=1)):
        call_id = await finished_call(service.database, moment)
        await service.put(f"/v1/calls/{call_id}/disposition", "li", body)
    return service


async def table(
    desk: Service, query: str, user: str = "chen", status: int = 200, encoding: str = "utf-8-sig"
) -> list[list[str]]:
    response = await desk.ask("GET", f"/v1/notes/export?{query}", user)
    content = await response.read()
    assert response.status == status, content
    return list(csv.reader(io.StringIO(content.decode(encoding)))) if status == 200 else []


DAYS = "client=bank&from=2026-06-01&until=2026-06-02&format=csv"


async def test_the_usual_columns_fill_themselves_in_and_execute_nothing(desk: Service) -> None:
    rows = await table(desk, DAYS)
    assert rows[0][:4] == ["案件编号", "通话日期", "通话时间", "通话时长（秒）"]
    assert len(rows) == 3
    first = dict(zip(rows[0], rows[1], strict=True))
    assert (first["通话日期"], first["通话时间"], first["通话时长（秒）"]) == ("2026-06-01", "10:00:00", "60.0")
    assert (first["关系"], first["行动码含义"], first["承诺金额"]) == ("本人", "承诺还款", "100")
    assert first["姓名"] == f"'{HOSTILE}"
    assert first["号码"] == "+8613800138000"
    for row in rows[1:]:
        assert not [cell for cell in row if cell[:1] in "=@-\t" and cell]


async def test_a_client_has_columns_of_its_own_in_its_encoding(desk: Service) -> None:
    columns = [{"field": "case_id", "title": "合同号"}, {"field": "text"}, {"field": "outcome", "title": "结果"}]
    template = {"columns": columns, "encoding": "gb18030"}
    await desk.put("/v1/note-templates/bank", "chen", template, status=201)
    rows = await table(desk, DAYS, encoding="gb18030")
    assert rows[0] == ["合同号", "沟通内容", "结果"]
    assert rows[1][2] == "已通话"
    assert (await table(desk, DAYS + "&language=en", encoding="gb18030"))[1][2] == "conversation"
    await desk.put("/v1/note-templates/bank", "chen", {"columns": [{"field": "password"}]}, status=404)
    await desk.put("/v1/note-templates/bank", "chen", {"columns": []}, status=422)
    await desk.put("/v1/note-templates/bank", "li", template, status=403)
    assert (await desk.ask("DELETE", "/v1/note-templates/bank", "chen")).status == 204
    assert (await desk.get("/v1/note-templates/bank", "chen"))["columns"][0]["field"] == "case_id"


async def test_a_workbook_holds_text_where_text_is_and_numbers_where_numbers_are(desk: Service) -> None:
    response = await desk.ask("GET", "/v1/notes/export?client=bank&from=2026-06-01&until=2026-06-01", "chen")
    rows: list[list[Any]] = load_workbook(io.BytesIO(await response.read())).get_sheet_by_index(0).to_python()
    first = dict(zip(rows[0], rows[1], strict=True))
    assert (len(rows), first["姓名"], first["通话时长（秒）"]) == (2, HOSTILE, 60.0)


async def test_only_the_clients_own_people_take_its_notes_away(desk: Service) -> None:
    await table(desk, DAYS, "li", 403)
    await table(desk, DAYS, "other", 403)
    assert len(await table(desk, "client=elsewhere&from=2026-06-01&until=2026-06-02&format=csv", "other")) == 1


@pytest.mark.parametrize(
    "query",
    [
        "client=bank",
        "client=bank&from=2026-06-02&until=2026-06-01",
        "client=bank&from=x&until=y",
        "client=bank&from=2020-01-01&until=2026-01-01",
    ],
)
async def test_days_that_cannot_be_are_refused(desk: Service, query: str) -> None:
    await table(desk, query, status=422)


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_cell_of_a_csv_is_ever_a_formula(text: str) -> None:
    written = spreadsheets.plain(text)
    shown = written.lstrip()
    harmless = spreadsheets._HARMLESS.fullmatch(written) is not None
    assert harmless or not shown or shown[0] not in "=+-@|%"
    assert not written.startswith(("\t", "\r", "\n"))


@pytest.mark.parametrize(
    "text", ["2026-06-01", "10:00:00", "0371-65551234", "+8613800138000", "-5.00", "6225 8802", "王"]
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert spreadsheets.plain(text) == text


async def test_a_moment_is_written_with_its_offset() -> None:
    assert spreadsheets.as_text(clock.now()).endswith("+00:00")
