"""An item of the outbox as the text of a note in a CRM, in the language of the CRM's people."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from crm_bridge.outbox.destination import Item

Language = Literal["zh", "en"]
LONGEST = 20_000

WORDS: Mapping[str, Mapping[Language, str]] = {
    "call": {"zh": "电话", "en": "Call"},
    "note": {"zh": "备注", "en": "Note"},
    "correction": {"zh": "更正此前的记录", "en": "Correction of the earlier note"},
    "outbound": {"zh": "呼出", "en": "outbound"},
    "inbound": {"zh": "呼入", "en": "inbound"},
    "talked": {"zh": "通话 {seconds} 秒", "en": "talked for {seconds} s"},
    "code": {"zh": "代码 {code}", "en": "code {code}"},
    "agent": {"zh": "经办 {agent}", "en": "by {agent}"},
    "promise": {"zh": "承诺还款：{said}", "en": "Promise to pay: {said}"},
    "call_back": {"zh": "约定回电：{said}", "en": "Call back: {said}"},
    "recording": {"zh": "录音：{url}", "en": "Recording: {url}"},
    "complaint.opened": {"zh": "投诉已受理，催收电话已暂停", "en": "Complaint opened, calls are suspended"},
    "complaint.closed": {"zh": "投诉已结案", "en": "Complaint closed"},
    "severity": {"zh": "等级 {said}", "en": "severity {said}"},
    "ruling": {"zh": "结论：{said}", "en": "Ruling: {said}"},
}
OUTCOMES: Mapping[str, str] = {
    "conversation": "已接通",
    "voicemail": "语音信箱",
    "no_answer": "无人接听",
    "busy": "占线",
    "not_in_service": "停机或空号",
    "dropped": "中断",
    "rejected": "拒接",
    "failed": "呼叫失败",
    "not_placed": "未呼出",
    "unknown": "未知",
}


def mark(item: Item) -> str:
    """By which a note is found again: unique for each item, the same for each try."""
    return f"[ringfence:{item.id}]"


def note_text(item: Item, language: Language, zone: str, *, correction: bool = False) -> str:
    """The whole text, with the mark as its last line."""
    lines = [_word("correction", language)] if correction else []
    lines += _of_note(item.payload, language, zone) if item.kind == "note.written" else _of_event(item, language, zone)
    text = "\n".join(line for line in lines if line)
    return f"{text[:LONGEST]}\n{mark(item)}"


def _of_note(said: Mapping[str, Any], language: Language, zone: str) -> Iterator[str]:
    party = said.get("party") or {}
    what = _word("call" if said.get("call_id") else "note", language)
    direction = said.get("direction")
    way = _word(direction, language) if direction in ("inbound", "outbound") else None
    at = _time(said.get("started_at") or said.get("written_at"), zone)
    yield _joined(what, at, way, said.get("number"), party.get("name"))
    outcome, seconds, code, agent = (said.get(key) for key in ("outcome", "talk_seconds", "action_code", "agent"))
    yield _joined(
        OUTCOMES.get(outcome, outcome) if outcome and language == "zh" else outcome,
        _word("talked", language, seconds=round(seconds)) if seconds else None,
        _word("code", language, code=code) if code else None,
        _word("agent", language, agent=agent) if agent else None,
    )
    if promise := said.get("promise"):
        words = _joined(promise.get("on"), promise.get("amount"), promise.get("currency"))
        yield _word("promise", language, said=words)
    if call_back := said.get("call_back"):
        yield _word("call_back", language, said=_time(call_back.get("at"), zone))
    yield str(said.get("text") or "")
    if url := said.get("recording_url"):
        yield _word("recording", language, url=url)


def _of_event(item: Item, language: Language, zone: str) -> Iterator[str]:
    data = item.payload.get("data") or {}
    title = _word(item.kind, language) if item.kind in WORDS else item.kind
    yield _joined(title, _time(item.payload.get("at"), zone), item.payload.get("actor"))
    if severity := data.get("severity"):
        yield _word("severity", language, said=severity)
    yield str(data.get("text") or data.get("reason") or "")
    if ruling := data.get("ruling"):
        yield _word("ruling", language, said=ruling)


def _word(key: str, language: Language, **said: Any) -> str:
    return WORDS[key][language].format(**said)


def _joined(*parts: Any) -> str:
    return " · ".join(str(part) for part in parts if part)


def _time(at: str | None, zone: str) -> str:
    if not at:
        return ""
    try:
        return datetime.fromisoformat(at).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")
    except ValueError:
        return at
