"""The admin's page of the phone systems and its API, on a PBX of its own: check, plan, apply with a reason, move phones."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from config import clock
from crm_bridge.demo.lab import Lab
from crm_bridge.people import users
from crm_bridge.people.users import NewUser
from tests.support.browser import axe_findings, chromium, log_in, reader
from tests.support.floor import PBX, Floor, free_port, furnished_floor

pytestmark = pytest.mark.flow

PASSWORD = "correct horse battery"
ROUND = "\n[phones](+)\nexten => _9X.,1,Dial(PJSIP/${EXTEN:1}@carrier-a,60)\n"


@pytest.fixture
async def own_floor(tmp_path: Path) -> AsyncIterator[Floor]:
    """A floor on a PBX that this test may change, with a way round the gate in its admin's dialplan."""
    async with Lab() as lab:
        lab.pbx.append("extensions.conf", ROUND)
        await lab.pbx.console("dialplan reload")
        url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
        async with furnished_floor(lab, tmp_path, free_port(), url) as floor:
            yield floor


async def test_a_pbx_is_shown_checked_planned_and_applied_over_the_api(own_floor: Floor) -> None:
    floor = own_floor
    [shown] = (await floor.expect(200, "GET", "/v1/pbxs", user="admin"))["items"]
    assert (shown["name"], shown["link"]["state"], shown["ready"]) == (PBX, "up", True)
    assert shown["asterisk_version"].startswith("22")
    assert shown["spool"]["works"]
    assert shown["gate"]["reached"] is None
    assert shown["trunks"] == ["carrier-a"]
    both = await asyncio.gather(*(floor.request("POST", f"/v1/pbxs/{PBX}/check", user="admin") for _ in range(2)))
    assert sorted(status for status, _ in both) == [200, 409]
    checked = next(document for status, document in both if status == 200)
    assert checked["done"] == checked["of"]
    found = {finding["code"]: finding for finding in checked["findings"]}
    assert set(found) == {"way-round"}
    assert "--phones 1001" in found["way-round"]["mend"]
    assert (await floor.expect(200, "GET", f"/v1/pbxs/{PBX}", user="admin"))["gate"]["reached"] is True

    plan = await floor.expect(200, "GET", f"/v1/pbxs/{PBX}/plan?phones=1001,1002", user="admin")
    assert [change["lines"][:2] for change in plan["changes"]] == [
        ["-1001: context=phones", "+1001: context=ringfence-desk"]
    ]
    body = {"reason": "the audit asked for it", "phones": ["1001", "1002"]}
    await floor.expect(200, "POST", f"/v1/pbxs/{PBX}/apply", user="admin", body=body)
    endpoints = await floor.expect(200, "GET", f"/v1/pbxs/{PBX}/phones", user="admin")
    assert {phone["name"] for phone in endpoints["items"] if phone["ours"]} == {"1001", "1002"}
    assert [(trunk["name"], trunk["context"], trunk["ours"]) for trunk in endpoints["trunks"]] == [
        ("carrier-a", "from-carrier", False),
        ("carrier-b", "from-carrier", False),
    ]
    again = await floor.expect(200, "GET", f"/v1/pbxs/{PBX}/plan?phones=1001,1002", user="admin")
    assert again["nothing_to_do"]
    entries = (await floor.expect(200, "GET", "/v1/journal?kind=pbx.applied", user="admin"))["items"]
    assert entries[0]["actor"] == "admin"
    assert entries[0]["data"]["reason"] == "the audit asked for it"
    assert entries[0]["data"]["phones"] == ["1001", "1002"]


async def test_only_admins_look_after_pbxs_and_bad_input_is_told(floor: Floor) -> None:
    for user in ("collector", "supervisor", "qa", "crm"):
        await floor.expect(403, "GET", "/v1/pbxs", user=user)
        await floor.expect(403, "POST", f"/v1/pbxs/{PBX}/apply", user=user, body={"reason": "x"})
    await floor.expect(404, "GET", "/v1/pbxs/nowhere", user="admin")
    await floor.expect(404, "POST", "/v1/pbxs/nowhere/check", user="admin")
    for body in ({}, {"reason": "  "}, {"reason": "x", "phones": ["a b"]}, {"reason": "x", "phones": ["none-such"]}):
        problem = await floor.expect(422, "POST", f"/v1/pbxs/{PBX}/apply", user="admin", body=body)
        assert problem["errors"], problem
    await floor.expect(422, "GET", f"/v1/pbxs/{PBX}/plan?phones=none-such", user="admin")


async def _open(page: Page, floor: Floor, language: str) -> None:
    async with floor.services.database.write() as transaction:
        new = NewUser(
            name=f"guan-{language}", role="admin", password=PASSWORD, language="zh" if language == "zh" else "en"
        )
        await users.add_user(transaction, new, actor="tests", now=clock.now())
    await page.goto("/login?next=/admin/pbx")
    await log_in(page, f"guan-{language}", PASSWORD)
    await expect(page.locator("pbx-card h2")).to_have_text(PBX)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_admin_checks_and_moves_a_phone_from_the_page(own_floor: Floor, language: str) -> None:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    async with chromium() as browser, reader(browser, own_floor.base, locale=locale, dark=language == "zh") as page:
        await _open(page, own_floor, language)
        await expect(page.locator("[data-phone='1001']")).to_be_visible()
        assert await axe_findings(page) == []
        await page.focus("[data-act=check]")
        await page.keyboard.press("Enter")
        await expect(page.locator("progress")).to_be_visible()
        await expect(page.locator("[data-code=way-round]")).to_contain_text("--phones 1001", timeout=30_000)
        assert await axe_findings(page) == []
        await page.focus("[data-phone='1001']")
        await page.keyboard.press("Space")
        await page.check("[data-trunk=carrier-b]")
        await page.click("[data-act=plan]")
        await expect(page.locator(".diff")).to_contain_text("+1001: context=ringfence-desk")
        await expect(page.locator(".diff")).to_contain_text("+carrier-b: context=ringfence-inbound")
        await page.click("[data-act=apply]")
        await expect(page.locator(f"#reason-{PBX}")).to_be_focused()
        await page.fill(f"#reason-{PBX}", "asked by the auditor")
        assert await axe_findings(page) == []
        await page.click("[data-act=apply]")
        await expect(page.locator(".notice-good")).to_be_visible(timeout=30_000)
        await expect(page.locator("[data-phone='1001']")).to_have_count(0)
        await expect(page.locator("[data-trunk=carrier-b]")).to_have_count(0)
        assert await axe_findings(page) == []
    entries = (await own_floor.expect(200, "GET", "/v1/journal?kind=pbx.applied", user="admin"))["items"]
    assert entries[0]["data"]["reason"] == "asked by the auditor"
