"""The floor's buttons to listen in and to whisper, in Chromium on a real call: by keyboard, in both languages."""

import pytest
from playwright.async_api import expect

from config import clock
from crm_bridge.people import users
from crm_bridge.people.users import NewUser
from tests.crm_bridge.web.pages.test_pages_accessibility import UNTRANSLATED
from tests.support.browser import axe_findings, chromium, log_in, reader
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

PASSWORD = "correct horse battery"
ANSWERS = "+8613800138002"
LONG = 60_000
"""Milliseconds in which a phone is rung and a page has seen it, also on a busy machine."""
SAID = {
    "en": ("You listen", "You whisper"),
    "zh": ("您正在监听", "您正在耳语"),
}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_supervisor_listens_whispers_and_leaves_from_the_floor(floor: Floor, language: str) -> None:
    async with floor.services.database.write() as transaction:
        new = NewUser(
            name="chen",
            role="supervisor",
            password=PASSWORD,
            extension="1004",
            language="zh" if language == "zh" else "en",
        )
        await users.add_user(transaction, new, actor="tests", now=clock.now())
    call = await floor.call(ANSWERS)
    await floor.until(call, "connected")
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    async with chromium() as browser, reader(browser, floor.base, locale=locale, dark=language == "zh") as page:
        await page.goto("/login?next=/supervisor")
        await log_in(page, "chen", PASSWORD)
        row = page.locator("[data-agent=collector]")
        await row.locator("[data-focus=listen-collector]").press("Enter")
        await expect(row.get_by_role("status")).to_have_text(SAID[language][0], timeout=LONG)
        assert await axe_findings(page) == []
        await row.locator("[data-focus=whisper-collector]").press("Enter")
        await expect(row.get_by_role("status")).to_have_text(SAID[language][1], timeout=LONG)
        assert await axe_findings(page) == []
        if language == "zh":
            assert await page.evaluate(UNTRANSLATED) == []
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        await row.locator("[data-focus=leave-collector]").press("Enter")
        await expect(row.locator("[data-focus=listen-collector]")).to_be_visible(timeout=LONG)
        await expect(row.get_by_role("status")).to_have_count(0)
        if language == "en":
            # What the PBX or the service refuses is said on the page.
            body = {"extension": "1011"}
            await floor.expect(200, "PATCH", "/v1/users/unregistered", user="admin", body={"extension": None})
            await floor.expect(200, "PATCH", "/v1/users/chen", user="admin", body=body)
            await row.locator("[data-focus=listen-collector]").press("Enter")
            await expect(page.locator("floor-view [role=alert]")).to_contain_text("not registered", timeout=LONG)
    await floor.hangup(call)
