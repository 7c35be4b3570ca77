"""Files as clients send them, and an import's way through the API with its worker ticked by hand."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]  # ships no types

from config import clock
from crm_bridge.imports.work import ImportWork
from tests.support.api import Service

HEADINGS = (
    "案件编号", "姓名", "身份证号", "手机号码", "单位电话", "卡号", "委托到期日", "联系人1姓名", "联系人1关系",
    "联系人1电话",
)  # fmt: skip
FIELDS: Sequence[dict[str, Any]] = (
    {"column": "案件编号", "field": "case_id"},
    {"column": "姓名", "field": "name"},
    {"column": "身份证号", "field": "identity"},
    {"column": "手机号码", "field": "number"},
    {"column": "单位电话", "field": "number", "kind": "work"},
    {"column": "卡号", "field": "account"},
    {"column": "委托到期日", "field": "mandate_until"},
    {"column": "联系人1姓名", "field": "name", "person": 1},
    {"column": "联系人1关系", "field": "relation", "person": 1},
    {"column": "联系人1电话", "field": "number", "person": 1},
)


def mapping(**more: Any) -> dict[str, Any]:
    """The mapping of files with `HEADINGS`."""
    return {"columns": list(FIELDS), **more}


def line(case_id: str, **cells: str) -> list[str]:
    """A row of such a file; a name and a number unless told otherwise."""
    given = {"案件编号": case_id, "姓名": "王伟", "手机号码": "13800138000", **cells}
    return [given.get(heading, "") for heading in HEADINGS]


def csv_file(*rows: Sequence[Any], encoding: str = "utf-8", headings: Sequence[str] = HEADINGS) -> bytes:
    """A CSV of these rows below the headings."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([headings, *rows])
    return text.getvalue().encode(encoding)


def xlsx_file(path: Path, fill: Any) -> bytes:
    """A workbook that `fill(book, sheet)` writes."""
    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet("委案")
    fill(book, sheet)
    book.close()
    return path.read_bytes()


async def sent(service: Service, file: bytes, *, client: str = "bank", name: str = "a.csv", user: str = "chen") -> Any:
    """The import of a file that was sent."""
    response = await service.ask("POST", f"/v1/imports?client={client}&file_name={name}", user, data=file)
    text = await response.text()
    assert response.status == 201, text
    return await response.json()


def worker(service: Service) -> ImportWork:
    """The worker of imports on the service's database."""
    return ImportWork(database=service.database, region="CN", clock=clock.now)


async def checked(service: Service, file: bytes, *, user: str = "chen", client: str = "bank", **more: Any) -> Any:
    """The import of a file, sent and checked by the mapping of `HEADINGS` with `more`."""
    import_id = (await sent(service, file, user=user, client=client))["id"]
    await service.post(f"/v1/imports/{import_id}/check", user, {"mapping": mapping(**more)}, status=200)
    await worker(service).tick()
    return await service.get(f"/v1/imports/{import_id}", user)


async def ran(service: Service, import_id: str, *, user: str = "chen", **body: Any) -> Any:
    """The import after it was run, or tried."""
    await service.post(f"/v1/imports/{import_id}/run", user, body, status=200)
    await worker(service).tick()
    return await service.get(f"/v1/imports/{import_id}", user)


async def problems(service: Service, import_id: str, user: str = "chen") -> list[tuple[int, str | None, str]]:
    """(row, column, code) of every finding."""
    rows = (await service.get(f"/v1/imports/{import_id}/rows?limit=500", user))["items"]
    return [(row["row"], one["column"], one["code"]) for row in rows for one in row["problems"]]
