"""Tables for people to take away: an import's confirmation and report, and the notes in the client's own columns."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from crm_bridge import spreadsheets
from crm_bridge.imports import confirmation, uploads
from crm_bridge.imports.confirmation import Language
from crm_bridge.spreadsheets import CONTENT_TYPES, Cell, Format
from crm_bridge.web import keys
from crm_bridge.web.api import Api, Media, Query
from crm_bridge.web.import_mappings import IMPORTERS

api = Api("exports")
BLOCK = 1 << 16
ROWS_AT_ONCE = 500
Rows = AsyncIterator[Sequence[Cell]]


class FileQuery(Query):
    """As which kind of file, in which language."""

    format: Format = "xlsx"
    language: Language = Field("zh")


async def send_table(
    request: web.Request, name: str, kind: Format, sheets: Sequence[tuple[str, Rows]], encoding: str = "utf-8"
) -> web.StreamResponse:
    """Stream a table to the reader; a CSV has its sheets one below the other."""
    headers = {
        "Content-Type": CONTENT_TYPES[kind] + (f"; charset={encoding}" if kind == "csv" else ""),
        "Content-Disposition": f"attachment; filename=\"table.{kind}\"; filename*=UTF-8''{quote(f'{name}.{kind}')}",
    }
    response = web.StreamResponse(headers=headers)
    if kind == "csv":
        return await _send_csv(request, response, sheets, encoding)
    with tempfile.TemporaryDirectory(prefix="ringfence-export-") as folder:
        path = Path(folder) / "table.xlsx"
        await _write_xlsx(path, sheets)
        await response.prepare(request)
        with path.open("rb") as file:
            while block := await asyncio.to_thread(file.read, BLOCK):
                await response.write(block)
    await response.write_eof()
    return response


async def _send_csv(
    request: web.Request, response: web.StreamResponse, sheets: Sequence[tuple[str, Rows]], encoding: str
) -> web.StreamResponse:
    await response.prepare(request)
    begun = False
    for _, rows in sheets:
        if begun:
            await response.write(b"\r\n")
        async for row in rows:
            (line,) = spreadsheets.csv_lines([row], encoding=encoding)
            await response.write(line.removeprefix(b"\xef\xbb\xbf") if begun else line)
            begun = True
    await response.write_eof()
    return response


async def _write_xlsx(path: Path, sheets: Sequence[tuple[str, Rows]]) -> None:
    """Rows come from the database, the file is written in a thread, which asks for the next rows when it needs them."""
    loop = asyncio.get_running_loop()

    def pulled(rows: Rows) -> Iterator[Sequence[Cell]]:
        while some := asyncio.run_coroutine_threadsafe(_some(rows), loop).result():
            yield from some

    await asyncio.to_thread(spreadsheets.write_xlsx, path, [(name, pulled(rows)) for name, rows in sheets])


async def _some(rows: Rows) -> list[Sequence[Cell]]:
    found: list[Sequence[Cell]] = []
    while len(found) < ROWS_AT_ONCE:
        try:
            found.append(await anext(rows))
        except StopAsyncIteration:
            break
    return found


async def _lines(rows: Sequence[Sequence[Cell]]) -> Rows:
    for row in rows:
        yield row


@api.operation(
    "GET",
    "/v1/imports/{id}/confirmation",
    roles=IMPORTERS,
    query=FileQuery,
    answers={200: Media(CONTENT_TYPES["xlsx"])},
    summary="The confirmation for the client: the file, the times, the counts, every row",
)
async def import_confirmation(request: web.Request, query: FileQuery) -> web.StreamResponse:
    """XLSX or CSV, in Chinese or English; no cell is ever executed."""
    database, import_id = request.app[keys.DATABASE], request.match_info["id"]
    async with database.read() as connection:
        row = await uploads.find(connection, import_id, request[keys.USER])
    head = confirmation.summary(row, request.app[keys.SETTINGS].policy.zone, query.language)
    rows = confirmation.rows_of(database, import_id, query.language, problems_only=False)
    titles = ("确认", "明细") if query.language == "zh" else ("Confirmation", "Rows")
    sheets = [(titles[0], _lines(head)), (titles[1], rows)]
    return await send_table(request, f"{row.file_name}-{import_id[:8]}", query.format, sheets)


@api.operation(
    "GET",
    "/v1/imports/{id}/report",
    roles=IMPORTERS,
    query=FileQuery,
    answers={200: Media(CONTENT_TYPES["xlsx"])},
    summary="The rows that have problems, one line each",
)
async def import_report(request: web.Request, query: FileQuery) -> web.StreamResponse:
    """Row, column, what is wrong and how to mend it."""
    database, import_id = request.app[keys.DATABASE], request.match_info["id"]
    async with database.read() as connection:
        row = await uploads.find(connection, import_id, request[keys.USER])
    rows = confirmation.rows_of(database, import_id, query.language, problems_only=True)
    title = "问题" if query.language == "zh" else "Problems"
    return await send_table(request, f"{row.file_name}-problems", query.format, [(title, rows)])
