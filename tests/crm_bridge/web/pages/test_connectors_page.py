"""The page of connectors in Chromium, beside a real Tryton: made, tried, pulled, conflicts decided; both languages, axe."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from config import clock
from crm_bridge.connectors import pulls
from crm_bridge.connectors.pulls import Pulls
from crm_bridge.web import keys
from tests.support import browser as browsers
from tests.support.api import Service
from tests.support.browser import axe_findings
from tests.support.real_pages import log_in, real_pages
from tests.support.tryton import ADMIN_KEY, CRM_KEY, TrytonServer
from tests.support.tryton_records import Records

pytestmark = pytest.mark.asyncio(loop_scope="session")

PEOPLE = {"ada": ("admin", "en"), "wang": ("admin", "zh"), "li": ("supervisor", "en")}


@asynccontextmanager
async def connected(server: TrytonServer, database: str, folder: Path) -> AsyncIterator[tuple[Service, str, Records]]:
    """The pages, and the people at the CRM."""
    async with Records(server.url, database, ADMIN_KEY) as people, real_pages(folder, PEOPLE) as (service, origin):
        yield service, origin, people


async def _pull(service: Service) -> None:
    """What the service does every second."""
    crms = service.client.app[keys.CONNECTORS]
    await Pulls(service.database, crms.crm, "CN", clock.now).tick()


async def _connect(page: Page, server: TrytonServer, database: str, mapping: dict[str, object]) -> None:
    """Fill in the form, by keyboard."""
    await page.locator("[data-focus=new-crm]").press("Enter")
    await expect(page.locator("#crm-name")).to_be_focused()
    given = {"name": "Agency's Tryton", "client": "bank", "url": server.url, "database": database, "token": CRM_KEY}
    for field, value in given.items():
        await page.fill(f"#crm-{field}", value)
    await page.fill("#crm-mapping", json.dumps(mapping))
    await page.locator("[data-focus=save-crm]").press("Enter")


async def test_a_crm_is_connected_tried_and_pulled_and_a_conflict_is_decided(
    chromium: Browser, tryton_server: TrytonServer, shared_crm: str, tmp_path: Path
) -> None:
    async with (
        connected(tryton_server, shared_crm, tmp_path) as (service, origin, people),
        browsers.reader(chromium, origin) as page,
    ):
        work = await people.work("Loan", await people.debtor("王小明", "13800138000", "ask his wife"), comment="one")
        await log_in(page, "ada", "/admin/connectors")
        await expect(page.locator("connectors-page")).to_contain_text("No CRM is connected yet")
        await _connect(page, tryton_server, shared_crm, {"accont": "comment"})
        await expect(page.locator(".notice[role=alert]")).to_contain_text("mapping.accont: is not a known field")
        assert await axe_findings(page) == []
        await page.fill("#crm-mapping", json.dumps({"domain": people.mine(), "account": "comment"}))
        await page.locator("[data-focus=save-crm]").press("Enter")
        crm = page.locator("[data-crm]")
        await expect(crm).to_contain_text("Agency's Tryton")
        await crm.get_by_role("button", name="Test").press("Enter")
        await expect(page.locator("[data-step=fields]")).to_contain_text("every field of the mapping can be read")
        await expect(page.locator(".crm-sample")).to_contain_text("+8613800138000")
        await _pull(service)
        await expect(crm).to_contain_text("1 new")
        await expect(crm).to_contain_text("Conflicts: 1")
        number = await people.number(work)
        await people.write("project.work", work, comment="three")
        await service.add("root", "admin")
        await service.put(f"/v1/cases/{number}", "root", {"client": "bank", "account": "two"})
        await crm.get_by_role("button", name="Pull now").press("Enter")
        await expect(crm).to_contain_text("Pulling")
        await _pull(service)
        await expect(crm).to_contain_text("Conflicts: 2")
        await crm.get_by_role("button", name="Conflicts").press("Enter")
        row = page.locator("[data-conflict]").filter(has_text="both sides changed")
        await expect(row).to_contain_text("three")
        await expect(row).to_contain_text("two")
        assert await axe_findings(page) == []
        await page.screenshot(path=tmp_path / "connectors.png", full_page=True)
        await row.get_by_role("button", name="The CRM's").press("Enter")
        await expect(page.locator("[data-conflict]")).to_have_count(1)
        assert (await service.get(f"/v1/cases/{number}", "root"))["account"] == "three"


async def test_the_page_speaks_chinese_in_the_dark_and_says_what_is_wrong(
    chromium: Browser, tryton_server: TrytonServer, shared_crm: str, tmp_path: Path
) -> None:
    async with (
        connected(tryton_server, shared_crm, tmp_path) as (_, origin, _people),
        browsers.reader(chromium, origin, locale="zh-CN", dark=True) as page,
    ):
        await log_in(page, "wang", "/admin/connectors")
        await expect(page.locator("h1")).to_have_text("客户系统")
        await _connect(page, tryton_server, "nosuch", {})
        crm = page.locator("[data-crm]")
        await crm.get_by_role("button", name="测试").press("Enter")
        await expect(page.locator("[data-step=database]")).to_contain_text("没有带 REST API 的数据库 nosuch")
        await crm.get_by_role("button", name="停用").press("Enter")
        await expect(crm).to_contain_text("已停用")
        await expect(crm.get_by_role("button", name="立即拉取")).to_be_disabled()
        assert await axe_findings(page) == []
        await crm.get_by_role("button", name="编辑").press("Enter")
        await expect(page.locator("#crm-name")).to_be_focused()
        assert await axe_findings(page) == []
        await page.screenshot(path=tmp_path / "connectors-zh.png", full_page=True)


async def test_cases_that_seem_gone_are_marked_only_once_somebody_says_so(
    chromium: Browser, tryton_server: TrytonServer, shared_crm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "MANY", 0)
    async with (
        connected(tryton_server, shared_crm, tmp_path) as (service, origin, people),
        browsers.reader(chromium, origin) as page,
    ):
        work = await people.work("Loan", await people.debtor("王小明", "13800138000"))
        number = await people.number(work)
        await log_in(page, "ada", "/admin/connectors")
        await _connect(page, tryton_server, shared_crm, {"domain": people.mine()})
        crm = page.locator("[data-crm]")
        await expect(crm).to_be_visible()
        await _pull(service)
        await expect(crm).to_contain_text("1 new")
        await people.delete("project.work", work)
        await crm.get_by_role("button", name="Pull now").press("Enter")
        await expect(crm).to_contain_text("Pulling")
        await _pull(service)
        await service.add("root", "admin")
        assert (await service.get(f"/v1/cases/{number}", "root"))["state"] == "open"
        page.once("dialog", lambda dialog: dialog.accept())
        await crm.get_by_role("button", name="Mark the missing cases as gone").press("Enter")
        await expect(page.locator(".notice-good")).to_be_visible()
        await _pull(service)
        await expect(crm.get_by_role("button", name="Mark the missing cases as gone")).to_have_count(0)
        assert (await service.get(f"/v1/cases/{number}", "root"))["state"] == "returned"


async def test_only_admins_find_the_page_in_the_navigation(
    chromium: Browser, tryton_server: TrytonServer, shared_crm: str, tmp_path: Path
) -> None:
    async with (
        connected(tryton_server, shared_crm, tmp_path) as (_, origin, _people),
        browsers.reader(chromium, origin) as page,
    ):
        await log_in(page, "li", "/admin/policies")
        await page.wait_for_selector("#who:not(:empty)")
        await expect(page.locator('.sections a[href="/admin/connectors"]:visible')).to_have_count(0)
