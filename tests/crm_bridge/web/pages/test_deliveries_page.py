"""The page of deliveries in Chromium: a webhook made and tested, dead letters sent again; both languages, axe, keyboard."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from crm_bridge.outbox.services import OutboxServices
from crm_bridge.outbox.tables import items
from crm_bridge.web import keys
from tests.crm_bridge.outbox.conftest import Outside
from tests.support import browser as browsers
from tests.support.api import Service
from tests.support.browser import axe_findings
from tests.support.real_pages import log_in, real_pages
from tests.support.webhook_receiver import Receiver, receiver

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE = {"root": ("admin", "en"), "guan": ("admin", "zh")}


class Desk:
    """The pages, the outbox beside them, and a receiver."""

    def __init__(self, service: Service, origin: str, outside: Outside, crm: Receiver) -> None:
        self.service, self.origin, self.outside, self.crm = service, origin, outside, crm


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with real_pages(tmp_path, PEOPLE) as (service, origin), receiver() as crm:
        app = service.client.app
        assert app is not None
        services = OutboxServices.made(app[keys.SETTINGS], service.database)
        yield Desk(service, origin, Outside(service.database, services), crm)
        await services.close()


async def _fill(page: Page, crm: Receiver) -> None:
    await page.locator('[data-focus="new-hook"]').press("Enter")
    await expect(page.locator("#hook-url")).to_be_focused()
    await page.fill("#hook-url", crm.url)
    await page.fill("#hook-name", "CRM")
    await page.locator('[data-focus="hears-call.ended"]').check()
    await page.fill("#hook-more", "agent.*")
    assert await axe_findings(page) == []
    await page.press("#hook-more", "Enter")


async def test_a_webhook_is_made_tested_and_its_secret_replaced(chromium: Browser, desk: Desk) -> None:
    async with browsers.reader(chromium, desk.origin, locale="en-GB") as page:
        await log_in(page, "root", "/admin/deliveries")
        await expect(page.locator("delivery-desk")).to_contain_text("Nobody is told anything yet")
        await _fill(page, desk.crm)
        secret = page.locator(".secret code")
        await expect(secret).to_contain_text("whsec_")
        first = await secret.inner_text()
        row = page.locator("[data-destination]")
        await expect(row).to_contain_text("note.written, call.ended, agent.*")
        await row.get_by_role("button", name="Test").press("Enter")
        await expect(page.locator(".notice-good")).to_contain_text("Delivered")
        assert desk.crm.received[0].verified(first)["type"] == "webhook.ping"
        await row.get_by_role("button", name="New secret").press("Enter")
        await expect(secret).not_to_have_text(first)
        assert await axe_findings(page) == []
        await row.get_by_role("button", name="Switch off").press("Enter")
        await page.fill("#why-reason", "moving")
        await page.press("#why-reason", "Enter")
        await expect(row).to_contain_text("moving")
        await row.get_by_role("button", name="Switch on").press("Enter")
        await page.fill("#why-reason", "moved")
        await page.press("#why-reason", "Enter")
        await expect(row.get_by_role("button", name="Switch off")).to_be_visible()
        await row.get_by_role("button", name="Edit").press("Enter")
        await expect(page.locator("#hook-more")).to_have_value("agent.*")
        await page.fill("#hook-url", "http://10.0.0.1/")
        await page.press("#hook-url", "Enter")
        await expect(page.locator(".notice[role=alert]")).to_contain_text("https://")
        await page.keyboard.press("Escape")


async def test_dead_letters_are_looked_into_and_sent_again(chromium: Browser, desk: Desk, tmp_path: Path) -> None:
    await _some_of_each(desk)
    async with browsers.reader(chromium, desk.origin, locale="en-GB") as page:
        await log_in(page, "root", "/admin/deliveries")
        row = page.locator("[data-destination]")
        await row.locator(".link").press("Enter")
        dead = page.locator("[data-delivery]")
        await expect(dead).to_have_count(2)
        await dead.first.get_by_role("button", name="Details").press("Enter")
        await expect(dead.first.locator(".tries")).to_contain_text("unknown field")
        assert await axe_findings(page) == []
        await page.screenshot(path=tmp_path / "deliveries.png", full_page=True)
        await dead.first.get_by_role("button", name="Send again").press("Enter")
        await page.fill("#why-reason", "mended")
        await page.press("#why-reason", "Enter")
        await expect(dead).to_have_count(1)
        await row.get_by_role("button", name="Send all again").press("Enter")
        await page.fill("#why-reason", "mended")
        await page.press("#why-reason", "Enter")
        await expect(page.locator(".notice-good")).to_contain_text("Sent again: 1")
    await desk.outside.tell()
    assert await desk.outside.states() == ["delivered"] * 4


async def _some_of_each(desk: Desk) -> None:
    """One that arrived, and two that did not."""
    outside, crm = desk.outside, desk.crm
    await outside.hook(crm.url, events=["call.*"])
    await outside.happen("call.created", case_id="c0")
    await outside.tell()
    crm.otherwise = "html"
    for case_id in ("c1", "c2"):
        await outside.happen("call.ended", case_id=case_id, call={"outcome": "conversation"})
    await outside.read()
    async with outside.database.write() as transaction:  # nine tries have failed before
        await transaction.execute(update(items).where(items.c.state == "waiting").values(attempts=9))
    await outside.tell()
    crm.otherwise = "ok"
    await outside.happen("call.created", case_id="c3")
    await outside.tell()


async def test_the_page_speaks_chinese_in_the_dark(chromium: Browser, desk: Desk, tmp_path: Path) -> None:
    await _some_of_each(desk)
    async with browsers.reader(chromium, desk.origin, locale="zh-CN", dark=True) as page:
        await log_in(page, "guan", "/admin/deliveries")
        await expect(page.locator("h1")).to_have_text("外发消息")
        await expect(page.locator("[data-delivery]")).to_have_count(2)
        await page.locator('[data-focus="new-hook"]').press("Enter")
        await expect(page.locator("#hook-url")).to_be_focused()
        assert await axe_findings(page) == []
        await page.screenshot(path=tmp_path / "deliveries-zh.png", full_page=True)
