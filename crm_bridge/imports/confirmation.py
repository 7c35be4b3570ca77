"""What goes back to the client (S41): the confirmation, and the list of rows that need mending, as CSV or XLSX."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.engine import Row

from config.database import Database
from crm_bridge.imports.tables import import_rows
from crm_bridge.spreadsheets import Cell

Language = Literal["zh", "en"]
PAGE = 500
OUTCOMES = ("created", "updated", "unchanged", "refused", "bad", "ready")
_WORDS: dict[str, tuple[str, str]] = {
    "title": ("导入确认书", "Confirmation of import"),
    "client": ("委托方", "Client"),
    "file": ("文件", "File"),
    "size": ("字节数", "Bytes"),
    "sha256": ("SHA-256", "SHA-256"),
    "received": ("接收时间", "Received"),
    "received_by": ("接收人", "Received by"),
    "finished": ("完成时间", "Finished"),
    "run_by": ("导入人", "Imported by"),
    "due": ("应确认时间", "To be confirmed by"),
    "confirmed": ("确认时间", "Confirmed"),
    "state": ("状态", "State"),
    "rows": ("数据行数", "Rows"),
    "created": ("新建案件", "created"),
    "updated": ("更新案件", "updated"),
    "unchanged": ("无变化", "unchanged"),
    "refused": ("写入被拒绝", "refused"),
    "bad": ("有误未导入", "not imported: wrong"),
    "ready": ("未导入", "not imported"),
    "row": ("行", "Row"),
    "case": ("案件编号", "Case"),
    "outcome": ("结果", "Outcome"),
    "column": ("列", "Column"),
    "level": ("级别", "Level"),
    "value": ("值", "Value"),
    "what": ("问题", "What"),
    "fix": ("如何更正", "How to mend it"),
    "error": ("错误", "error"),
    "warning": ("提示", "note"),
}


def word(key: str, language: Language) -> str:
    """A word of the documents."""
    return _WORDS[key][0 if language == "zh" else 1]


def summary(row: Row[Any], zone: str, language: Language) -> list[list[Cell]]:
    """The head of the confirmation: which file, when, by whom, how many of what."""

    def moment(at: datetime | None) -> Cell:
        return at.astimezone(ZoneInfo(zone)) if at is not None else None

    counts = row.counts
    facts: list[tuple[str, Cell]] = [
        ("client", row.client), ("file", row.file_name), ("size", row.size), ("sha256", row.sha256),
        ("received", moment(row.uploaded_at)), ("received_by", row.uploaded_by), ("finished", moment(row.finished_at)),
        ("run_by", row.run_by), ("due", moment(row.deadline_at)), ("confirmed", moment(row.confirmed_at)),
        ("state", row.state), ("rows", counts.get("rows", 0)),
        *((name, counts.get(name, 0)) for name in ("created", "updated", "unchanged", "refused", "bad")),
    ]  # fmt: skip
    return [[word("title", language), row.id], *([word(key, language), value] for key, value in facts)]


async def rows_of(
    database: Database, import_id: str, language: Language, *, problems_only: bool
) -> AsyncIterator[list[Cell]]:
    """The headings, then each row of the file with its outcome, a line a finding; in pages, however many there are."""
    names = ("row", "case", "outcome", "column", "level", "value", "what", "fix")
    yield [word(name, language) for name in names]
    position = 0
    while True:
        wanted = select(import_rows).where(import_rows.c.import_id == import_id, import_rows.c.row > position)
        async with database.read() as connection:
            rows = (await connection.execute(wanted.order_by(import_rows.c.row).limit(PAGE))).all()
        for row in rows:
            found = row.problems or ([] if problems_only else [None])
            for one in found:
                yield [row.row, row.case_id, word(row.outcome, language), *_cells(one, language)]
        if len(rows) < PAGE:
            return
        position = rows[-1].row


def _cells(found: dict[str, Any] | None, language: Language) -> list[Cell]:
    if found is None:
        return [None] * 5
    texts = (found["what_zh"], found["fix_zh"]) if language == "zh" else (found["what"], found["fix"])
    return [found["column"], word(found["level"], language), found["value"], *texts]
