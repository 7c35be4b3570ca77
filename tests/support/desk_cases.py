"""Canned cases for the pages: what a desk holds on a day, and what a hostile system may put into it."""

from datetime import datetime, timedelta
from typing import Any

HOSTILE = '<img src=x onerror="document.title=1">\u202egnp.exe'
OPEN = {"id": "c" * 32, "state": "open", "severity": "general", "instructed": False, "former_agent": None}
EARLY = "Work is from 08:00 to 21:00: it is Mon 06:12 there. Next allowed Mon 08:00. Only an agreement lifts it."
EARLY_ZH = "作业时间在8:00—21:00之间:当地时间为周一 06:12。下次可拨打:周一 08:00。仅约定可解除。"


def canned_cases(now: datetime) -> list[dict[str, Any]]:
    """Case documents of GET /v1/cases/{id}, with the two members that only the list shows."""
    morning = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    hours = {"allowed_now": False, "rule": "cn-outsourcing/hours", "retry_at": morning.isoformat()}
    complaint = {
        "allowed_now": False,
        "rule": "house/complaint-open",
        "reason": "A complaint is open.",
        "reason_zh": "有未结投诉。",
    }
    return [
        _case("HX-2026-000412", "华信银行", "王伟", now - timedelta(hours=3), [
            _party("p1", "debtor", "王伟", "Asia/Shanghai", [_number("+8613800138000"), _number("+8613911112222", status="valid")]),
            _party("p2", "guarantor", "Reyhangul Tursun", "Asia/Urumqi", [
                _number("+8618699001234", **hours, reason=EARLY, reason_zh=EARLY_ZH),
            ]),
            _party("p3", "contact", "李静", "Asia/Shanghai", [
                _number("+8613700003333", allowed_now=False, rule="house/do-not-call", do_not_call=True,
                        reason="This number must not be called.", reason_zh="该号码禁止拨打。"),
                _number("+861065551234", kind="landline", status="invalid", allowed_now=False, rule="house/invalid-number",
                        reason="This number is marked as invalid.", reason_zh="该号码已标记为无效。"),
            ]),
        ]),
        _case("US-77-0031", "Harbor Federal", "Eleanor Whitcombe", now - timedelta(days=4), [
            _party("p4", "debtor", "Eleanor Whitcombe", "America/New_York", [
                _number("+12125550123", **hours, reason=EARLY, reason_zh=EARLY_ZH)]),
        ]),
        _case("HX-2026-000413", "华信银行", "欧阳若曦", now - timedelta(days=12), [
            _party("p5", "debtor", "欧阳若曦", "Asia/Shanghai", [_number("+8613600006666", **complaint)]),
        ], state="suspended", complaint=OPEN),
        _case("XSS-1", "<b>Bank</b>", HOSTILE, None, [
            _party("p6", "debtor", HOSTILE, "Asia/Shanghai", [_number("+8613500005555")]),
        ]),
        _case("HX-2026-000414", "华信银行", "赵敏", now - timedelta(days=1), [_party("p7", "debtor", "赵敏", "Asia/Shanghai", [])]),
    ]  # fmt: skip


def _case(
    case_id: str, client: str, debtor: str, followed_up: datetime | None, parties: list[dict[str, Any]], **members: Any
) -> dict[str, Any]:
    return {
        "id": case_id, "client": client, "state": "open", "collector": "li.na", "complaint_open": False,
        "last_follow_up_at": followed_up and followed_up.isoformat(), "account": "6225 **** 1877",
        "debts": ["D-20260417-1", "D-20260417-2"],
        "mandate_until": "2027-03-31", "parties": parties, "complaint": None, **members,
    }  # fmt: skip


def _party(party_id: str, relation: str, name: str, zone: str, numbers: list[dict[str, Any]]) -> dict[str, Any]:
    locations = [{"source": "address", "zone": zone, "region": ""}]
    return {"id": party_id, "relation": relation, "name": name, "locations": locations, "numbers": numbers}


def _number(e164: str, **members: Any) -> dict[str, Any]:
    return {
        "e164": e164, "kind": "mobile", "status": "unknown", "do_not_call": False, "allowed_now": True,
        "reason": None, "reason_zh": None, "rule": None, "retry_at": None,
        "counts": [
            {"rule": "cn-gbt-45251/conversations-per-day", "used": 0, "limit": 3, "left": 3, "window": "calendar day"},
            {"rule": "cn-cba-2026/attempts-per-number", "used": 5, "limit": 6, "left": 1, "window": "calendar day"},
        ], **members,
    }  # fmt: skip
