"""What the pages have to show in the screenshots of the docs: a complaint, a hold, a group, a route, a webhook, a file of cases."""

from typing import Any

import aiohttp

from config import clock
from crm_bridge.demo.cases import CASES
from crm_bridge.demo.floor import Desk, logged_in

WHY = {"reason": "for the tour"}
COMPLAINED = CASES[-1].id
FILE = "案件编号,姓名,电话,卡号\nHX-2026-001001,赵敏,13800138101,6222020200000001\nHX-2026-001002,孙悦,不详,6222020200000002\n"


async def furnish(base: str, password: str) -> None:
    """Set it up through the API, as the people of the demo would."""
    async with logged_in(base, "admin", password) as admin:
        await _as_admin(admin)
    async with logged_in(base, "supervisor", password) as supervisor:
        await _as_supervisor(supervisor)
    await _import(base, password)


async def _as_admin(admin: Desk) -> None:
    await admin.must("POST", "/v1/groups", {"name": "desk", "members": ["collector", "collector2"], **WHY})
    route = {"did": "*", "to": "owner", "overflow": "desk", "hours": "08:00-20:00", "zone": "Asia/Shanghai", **WHY}
    await admin.must("POST", "/v1/inbound-routes", route)
    webhook = {
        "url": "https://crm.example.com/hooks/ringfence",
        "events": ["note.written", "complaint.*"],
        "name": "CRM",
    }
    await admin.ask("POST", "/v1/webhooks", webhook)
    crm = {"name": "Agency", "url": "https://tryton.example.com", "database": "agency", "token": "x" * 32}
    await admin.ask("POST", "/v1/connectors", {**crm, "client": CASES[0].client, "enabled": False})
    await admin.must("POST", "/v1/tokens", {"user": "crm", "label": "case upserts", "scopes": ["cases", "contacts"]})
    for name, role, team in (
        ("wang.fang", "collector", "north"),
        ("li.na", "collector", "south"),
        ("zhou", "qa", None),
    ):
        await admin.must("POST", "/v1/users", {"name": name, "role": role, "team": team})


async def _as_supervisor(supervisor: Desk) -> None:
    text = "They say that we called before eight in the morning."
    complaint = {"case_id": COMPLAINED, "severity": "serious", "text": text}
    await supervisor.must("POST", "/v1/complaints", complaint)
    hold = {"matter": "audit-2026", "kind": "audit", "case_id": CASES[0].id, **WHY}
    await supervisor.ask("POST", "/v1/holds", hold)
    called = [call["case_id"] for call in (await supervisor.must("GET", "/v1/calls"))["items"]]
    await supervisor.must("POST", "/v1/retrievals", {"cases": called[:1], "reason": "The client's audit asks for it."})
    today = clock.now()
    sample: dict[str, Any] = {"rule": {"by": "team", "per_group": 10}, "from": today.replace(hour=0).isoformat(), **WHY}
    await supervisor.ask("POST", "/v1/qa/samples", sample | {"to": today.isoformat()})


async def _import(base: str, password: str) -> None:
    """A file with a row that is in order and one that is not."""
    address = f"/v1/imports?client={CASES[0].client}&file_name=cases.csv"
    async with aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await http.post("/v1/session", json={"name": "supervisor", "password": password})
        await http.post(address, data=FILE.encode("gb18030"), headers={"Content-Type": "application/octet-stream"})
