"""The collector's page as somebody calls in, and the admin's page of routes: by keyboard, in both languages, with axe."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from config import clock
from crm_bridge.people import users
from crm_bridge.people.users import NewUser, Role
from tests.support.browser import axe_findings, chromium, log_in, reader
from tests.support.callers import CALLER, Callers
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

PASSWORD = "correct horse battery"
LOCALES = {"en": "en-GB", "zh": "zh-CN"}
SHOTS = os.environ.get("SHOTS")
"""A folder for pictures of the pages, where somebody wants to look at them."""


async def _shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=False)


async def _log_in(page: Page, floor: Floor, name: str, role: Role, language: str, to: str = "/") -> None:
    extension = "1004" if role == "collector" else None
    async with floor.services.database.write() as transaction:
        new = NewUser(
            name=name,
            role=role,
            password=PASSWORD,
            extension=extension,
            language="zh" if language == "zh" else "en",
        )
        await users.add_user(transaction, new, actor="tests", now=clock.now())
    await page.goto(f"/login?next={to}")
    await log_in(page, name, PASSWORD)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_call_pops_up_and_the_collector_says_which_case_it_is(callers: Callers, language: str) -> None:
    floor = callers.floor
    first = await floor.case(CALLER, collector="li.na")
    second = await floor.case(CALLER, collector="li.na")
    await callers.route()
    async with chromium() as browser:
        options = {"locale": LOCALES[language], "dark": language == "zh"}
        async with reader(browser, floor.base, **options) as page:
            await _log_in(page, floor, "li.na", "collector", language)
            await expect(page.locator("case-list a")).to_have_count(2)
            channel = await callers.call()
            panel = page.locator("incoming-call")
            await expect(panel).to_have_attribute("data-state", "answered")
            await expect(panel.locator("li")).to_have_count(2)
            await expect(panel).not_to_contain_text("debt-")
            assert await axe_findings(page) == []
            await _shot(page, f"incoming-{language}")
            await page.keyboard.press("Alt+i")
            await expect(panel.locator("button").first).to_be_focused()
            await panel.locator("li", has_text=second).locator(".button-primary").click()
            await expect(page).to_have_url(f"{floor.base}/cases/{second}")
            call = await callers.inbound()
            assert (await callers.show(call))["case_id"] == second
            await callers.lab.world.give_up(channel)
            await expect(panel).to_be_hidden()
    assert first != second


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_missed_call_is_called_back_with_one_click(callers: Callers, language: str) -> None:
    floor = callers.floor
    await floor.case(CALLER, collector="li.na")
    await callers.route(hours=[])
    async with chromium() as browser:
        options = {"locale": LOCALES[language], "dark": language == "en"}
        async with reader(browser, floor.base, **options) as page:
            await _log_in(page, floor, "li.na", "collector", language)
            await expect(page.locator("case-list a")).to_have_count(1)
            await callers.call()
            await callers.state(await callers.inbound(), "ended")
            tasks = page.locator("call-backs")
            await expect(tasks.locator("[data-task]")).to_have_count(1)
            assert await axe_findings(page) == []
            await _shot(page, f"call-back-{language}")
            await tasks.locator(".button-primary").focus()
            await page.keyboard.press("Enter")
            found = await callers.until_outbound()
            await floor.until(found, "connected")
            await floor.expect(200, "POST", f"/v1/calls/{found['id']}/hangup", user="supervisor")
            await expect(tasks).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_admin_sets_a_route_and_sees_what_it_does(callers: Callers, language: str) -> None:
    floor = callers.floor
    await callers.group("desk", "collector", "other")
    async with chromium() as browser:
        options = {"locale": LOCALES[language], "dark": language == "zh"}
        async with reader(browser, floor.base, **options) as page:
            await _log_in(page, floor, f"guan-{language}", "admin", language, "/admin/inbound")
            await page.locator('[data-focus="new-route"]').focus()
            await page.keyboard.press("Enter")
            await page.fill("#route-did", "010 5555 0000")
            await page.select_option("#route-to", "group")
            await page.select_option("#route-target", "desk")
            await page.click('[data-focus="add-way"]')
            await page.uncheck('[data-focus="always"]')
            assert await axe_findings(page) == []
            await _shot(page, f"route-{language}")
            await page.fill("#route-reason", "a new line")
            await page.click('[data-focus="save-route"]')
            await expect(page.locator("tbody th")).to_have_text("+861055550000")
            await page.fill("#ask-did", "01055550000")
            await page.fill("#ask-number", CALLER)
            await page.fill("#ask-at", f"{datetime.now(UTC).year + 1}-01-05T03:00")
            await page.press("#ask-at", "Enter")
            await expect(page.locator(".found .notice-warn")).to_be_visible()
            assert await axe_findings(page) == []
            await _shot(page, f"preview-{language}")
    (saved,) = (await floor.expect(200, "GET", "/v1/inbound-routes", user="admin"))["items"]
    assert (saved["to"], saved["target"], saved["overflow"]) == ("group", "desk", [{"to": "group", "target": "desk"}])
    (entry,) = await callers.journal("inbound_route.changed")
    assert (entry["actor"], entry["data"]["reason"]) == (f"guan-{language}", "a new line")
