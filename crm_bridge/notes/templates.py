"""Notes out in a client's own columns: which fields, under which headings, in which encoding, as data (S53)."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, select, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Database, Transaction
from config.errors import NotFound
from config.journal import Entry
from crm_bridge.notes.action_codes import CodeSet, codes_of
from crm_bridge.notes.tables import note_templates
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.spreadsheets import Cell
from crm_bridge.tables import cases, notes, parties
from telephony.tables import calls

Language = Literal["zh", "en"]
PAGE = 500
FIELDS: Mapping[str, tuple[str, str]] = {
    "case_id": ("案件编号", "Case"),
    "account": ("账号", "Account"),
    "date": ("通话日期", "Date"),
    "time": ("通话时间", "Time"),
    "duration": ("通话时长（秒）", "Duration (s)"),
    "name": ("姓名", "Name"),
    "relation": ("关系", "Relation"),
    "number": ("号码", "Number"),
    "direction": ("呼叫方向", "Direction"),
    "outcome": ("通话结果", "Outcome"),
    "action_code": ("行动码", "Action code"),
    "action": ("行动码含义", "Action"),
    "text": ("沟通内容", "Content"),
    "promise_date": ("承诺日期", "Promised for"),
    "promise_amount": ("承诺金额", "Promised amount"),
    "call_back": ("约定回电", "Call back"),
    "collector": ("催收员", "Collector"),
    "state": ("状态", "State"),
    "written_at": ("登记时间", "Written"),
    "client": ("委托方", "Client"),
    "call_id": ("通话编号", "Call"),
    "note_id": ("记录编号", "Note"),
}
"""What a column may be, beside a field of the client's own (`fields.reaction`), with its usual heading."""
USUAL = (
    "case_id", "date", "time", "duration", "name", "relation", "number", "outcome", "action_code", "action", "text",
    "promise_date", "promise_amount", "collector",
)  # fmt: skip
_WORDS: Mapping[str, tuple[str, str]] = {
    "debtor": ("本人", "debtor"), "guarantor": ("担保人", "guarantor"), "spouse": ("配偶", "spouse"),
    "contact": ("联系人", "contact"), "employer": ("工作单位", "employer"), "unrelated": ("无关人员", "unrelated"),
    "outbound": ("呼出", "outbound"), "inbound": ("呼入", "inbound"), "conversation": ("已通话", "conversation"),
    "voicemail": ("语音信箱", "voicemail"), "no_answer": ("无人接听", "no answer"), "busy": ("占线", "busy"),
    "not_in_service": ("空号或停机", "not in service"), "rejected": ("拒接", "rejected"), "dropped": ("接通即断", "dropped"),
    "not_placed": ("未呼出", "not placed"), "failed": ("呼叫失败", "failed"), "unknown": ("未知", "unknown"),
    "draft": ("待补充", "draft"), "final": ("已完成", "final"),
}  # fmt: skip


class TemplateColumn(BaseModel):
    """One column of the client's table."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(pattern=r"^([a-z_]{1,32}|fields\.[a-z][a-z0-9_]{0,31})$")
    title: str = Field("", max_length=128, description="absent: the usual heading")


class Template(BaseModel):
    """How a client wants its notes."""

    model_config = ConfigDict(extra="forbid")

    columns: Annotated[list[TemplateColumn], Field(min_length=1, max_length=100)]
    encoding: Literal["utf-8", "gb18030"] = Field("utf-8", description="of a CSV")


@dataclass(frozen=True, slots=True)
class Period:
    """The notes of calls and writing in [since, until)."""

    since: datetime
    until: datetime


async def template_of(connection: AsyncConnection, client: str, user: User) -> Template:
    """The client's template, else the usual columns."""
    mine = scope.clients_seen_by(user, note_templates.c.client)
    row = (await connection.execute(select(note_templates).where(note_templates.c.client == client, mine))).first()
    if row is None:
        return Template(columns=[TemplateColumn(field=name, title="") for name in USUAL])
    return Template.model_validate({"columns": row.columns, "encoding": row.encoding})


async def put(
    transaction: Transaction, client: str, given: Template, *, reason: str = "", user: User, now: datetime
) -> bool:
    """Set a client's template; True when it had none. Raises Forbidden, NotFound (no such field)."""
    scope.require_client(user, client)
    own = {f"fields.{field.name}" for field in (await codes_of(transaction.connection, client)).fields}
    unknown = sorted({column.field for column in given.columns} - {*FIELDS, *own})
    if unknown:
        raise NotFound(f"there is no field {', '.join(unknown)}; there are {', '.join([*FIELDS, *sorted(own)])}")
    await transaction.lock([f"note-template:{client}"])
    before = await template_of(transaction.connection, client, user)
    said = given.model_dump(mode="json")
    values = {**said, "updated_at": now, "updated_by": user.name}
    is_new = await transaction.insert_once(note_templates, client=client, **values)
    if not is_new:
        await transaction.execute(update(note_templates).where(note_templates.c.client == client).values(**values))
    data = {
        "columns": [column.field for column in given.columns],
        "before": before.model_dump(mode="json"),
        "after": said,
    }
    data["reason"] = reason
    transaction.journal(Entry(now, "note_template.changed", user.name, client, data=data))
    return is_new


async def drop(transaction: Transaction, client: str, *, reason: str = "", user: User, now: datetime) -> None:
    """Have the usual columns hold again. Raises NotFound, Forbidden."""
    scope.require_client(user, client)
    gone = await transaction.execute(delete(note_templates).where(note_templates.c.client == client))
    if not gone.rowcount:
        raise NotFound(f"client {client} has no template of its own")
    transaction.journal(
        Entry(now, "note_template.changed", user.name, client, data={"columns": None, "reason": reason})
    )


async def rows(
    database: Database, client: str, template: Template, period: Period, *, user: User, zone: str, language: Language
) -> AsyncIterator[list[Cell]]:
    """The headings, then a row a note, oldest first; in pages, however many there are."""
    async with database.read() as connection:
        codes = await codes_of(connection, client)
    names = {field.name: field.label for field in codes.fields}
    yield [column.title or _heading(column.field, names, language) for column in template.columns]
    writer = _Writer(codes, ZoneInfo(zone), language)
    after = ""
    while True:
        async with database.read() as connection:
            found = (await connection.execute(_page(client, period, after, user))).all()
        for row in found:
            yield [writer.cell(column.field, row) for column in template.columns]
        if len(found) < PAGE:
            return
        after = found[-1].id


def _page(client: str, period: Period, after: str, user: User) -> Any:
    within = notes.c.at.between(period.since, period.until) & (notes.c.at < period.until)
    return (
        select(notes, cases.c.account, cases.c.client, cases.c.collector, parties.c.name, calls.c.direction)
        .join(cases, cases.c.id == notes.c.case_id)
        .outerjoin(parties, parties.c.id == notes.c.party_id)
        .outerjoin(calls, calls.c.id == notes.c.call_id)
        .where(cases.c.client == client, scope.cases_seen_by(user), within, notes.c.id > after)
        .order_by(notes.c.id)
        .limit(PAGE)
    )


def _heading(field: str, names: Mapping[str, Any], language: Language) -> str:
    if field in FIELDS:
        return FIELDS[field][0 if language == "zh" else 1]
    label = names.get(field.removeprefix("fields."))
    return getattr(label, language) if label is not None else field


class _Writer:
    """A note's cell by the name of a field."""

    def __init__(self, codes: CodeSet, zone: ZoneInfo, language: Language) -> None:
        self._zone, self._language = zone, language
        self._labels = {code.code: getattr(code.label, language) for code in codes.codes}
        self._made: Mapping[str, Callable[[Row[Any]], Cell]] = {
            "date": lambda row: self._local(row.at).date().isoformat(),
            "time": lambda row: self._local(row.at).strftime("%H:%M:%S"),
            "duration": lambda row: row.details.get("talk_seconds"),
            "name": lambda row: row.details.get("name") or row.name,
            "relation": lambda row: self._word(row.relation),
            "direction": lambda row: self._word(row.direction),
            "outcome": lambda row: self._word(row.details.get("outcome")),
            "action": lambda row: self._labels.get(row.action_code or "", row.action_code),
            "promise_date": lambda row: (row.details.get("promise") or {}).get("on"),
            "promise_amount": lambda row: (row.details.get("promise") or {}).get("amount"),
            "call_back": lambda row: self._moment((row.details.get("call_back") or {}).get("at")),
            "collector": lambda row: row.author,
            "state": lambda row: self._word(row.state),
            "written_at": lambda row: self._local(row.updated_at),
            "note_id": lambda row: row.id,
        }

    def cell(self, field: str, row: Row[Any]) -> Cell:
        """The value of one field; what a note has not is nothing."""
        if field in self._made:
            return self._made[field](row)
        if field.startswith("fields."):
            own: Cell = (row.details.get("fields") or {}).get(field.removeprefix("fields."))
            return own
        plain: Cell = row._mapping[field]
        return plain

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self._zone)

    def _moment(self, written: str | None) -> Cell:
        return self._local(datetime.fromisoformat(written)) if written else None

    def _word(self, value: str | None) -> Cell:
        if value is None:
            return None
        return _WORDS.get(value, (value, value))[0 if self._language == "zh" else 1]


def headings() -> Sequence[dict[str, Any]]:
    """What a column may be: {field, zh, en}."""
    return [{"field": name, "zh": zh, "en": en} for name, (zh, en) in FIELDS.items()]
