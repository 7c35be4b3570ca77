"""The admin's page of the trunks on a real PBX: set up with what would change, tried, drained, removed; pools and loads."""

import pytest
from playwright.async_api import Page, expect

from config import clock
from crm_bridge.people import users
from crm_bridge.people.users import NewUser
from tests.support.browser import axe_findings, chromium, log_in, reader
from tests.support.carrier_world import ACCOUNT, SECRET, CarrierWorld
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

PASSWORD = "correct horse battery"
REFUSED = {"en": "refused the log-in", "zh": "拒绝登录"}
LONG = 60_000
"""Milliseconds in which a trunk is set up and tried also on a busy machine."""


async def _open(page: Page, floor: Floor, language: str) -> None:
    async with floor.services.database.write() as transaction:
        new = NewUser(
            name=f"guan-{language}", role="admin", password=PASSWORD, language="zh" if language == "zh" else "en"
        )
        await users.add_user(transaction, new, actor="tests", now=clock.now())
    await page.goto("/login?next=/admin/trunks")
    await log_in(page, f"guan-{language}", PASSWORD)
    await expect(page.locator("[data-trunk=main]")).to_be_visible()


async def _fill(page: Page, port: int, secret: str) -> None:
    await page.focus("[data-act=new-trunk]")
    await page.keyboard.press("Enter")
    await expect(page.locator("#trunk-name")).to_be_focused()
    await page.fill("#trunk-name", "acme")
    await page.fill("#trunk-host", "127.0.0.2")
    await page.fill("#trunk-port", str(port))
    await page.fill("#trunk-username", ACCOUNT)
    await page.fill("#trunk-secret", secret)
    await page.fill("#trunk-prefixes", "+8613")
    await page.fill("#trunk-caller_ids", "+861065550001, +861065550002")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_admin_sets_a_trunk_up_from_the_page_and_takes_it_away(
    trunk_floor: Floor, carrier_world: CarrierWorld, language: str
) -> None:
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    async with chromium() as browser, reader(browser, trunk_floor.base, locale=locale, dark=language == "zh") as page:
        await _open(page, trunk_floor, language)
        assert await axe_findings(page) == []
        await _fill(page, carrier_world.port, "wrong")
        await page.click("[data-act=plan]")
        await expect(page.locator(".diff").first).to_contain_text("password=(hidden)", timeout=LONG)
        assert await axe_findings(page) == []
        await page.click("[data-act=save]")
        await expect(page.locator(".notice-bad")).to_contain_text(REFUSED[language], timeout=LONG)
        await page.fill("#trunk-secret", SECRET)
        await page.click("[data-act=save]")
        await expect(page.locator("[data-test=ok]")).to_be_visible(timeout=LONG)
        row = page.locator("tr[data-trunk=acme]")
        await expect(row.locator("[data-health]")).to_have_attribute("data-health", "up", timeout=LONG)
        assert await axe_findings(page) == []

        await page.focus("[data-focus=new-pool]")
        await page.keyboard.press("Enter")
        await page.fill("#pool-name", "bank")
        await page.fill("#pool-numbers", "+861065550001 +861065559999")
        await page.fill("#pool-limit", "200")
        await page.click("[data-focus=save-pool]")
        await expect(page.locator("[data-pool=bank]")).to_contain_text("+861065559999")
        await expect(page.locator("[data-number='861065550001']")).to_contain_text("200")
        assert await axe_findings(page) == []

        await page.click("[data-act=drain]")
        await expect(page.locator("#act-reason")).to_be_focused()
        await page.keyboard.type("the carrier moves")
        await page.click("[data-act=drain]")
        await expect(page.locator("[data-act=enable]")).to_be_visible()
        await page.fill("#act-reason", "gone")
        await page.click("[data-act=remove]")
        await expect(row).to_have_count(0, timeout=LONG)
    entries = (await trunk_floor.expect(200, "GET", "/v1/journal?kind=trunk.removed", user="admin"))["items"]
    assert entries[0]["data"]["reason"] == "gone"
