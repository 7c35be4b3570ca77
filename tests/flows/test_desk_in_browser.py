"""The collector's page on the real service: log in, click, talk, hang up, say what came of it, listen to it."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import axe_findings, chromium, log_in, reader
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

ANSWERS, BUSY = "+8613800138002", "+8613800138086"
PASSWORD = "correct horse battery"


async def _sit_down(page: Page, floor: Floor, case_id: str) -> None:
    change = {"password": PASSWORD, "language": "en"}
    await floor.expect(200, "PATCH", "/v1/users/collector", user="admin", body=change)
    await page.goto(f"/cases/{case_id}")
    await page.wait_for_url("**/login?next=*")
    await log_in(page, "collector", PASSWORD)
    await page.wait_for_selector("#stream-state[data-state=open]")
    await page.wait_for_selector(".party")


async def test_a_click_in_the_browser_becomes_a_call_a_note_and_a_recording_to_listen_to(floor: Floor) -> None:
    case_id = await floor.case(ANSWERS, collector="collector")
    async with chromium() as browser, reader(browser, floor.base) as page:
        await _sit_down(page, floor, case_id)
        await page.click(".button-call")
        await expect(page.locator("[data-leg=agent]")).to_have_attribute("data-state", "answered")
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking")
        await page.reload()
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking")
        await expect(page.locator(".timer")).to_have_text(re.compile("0:0[2-9]"))
        await expect(page.locator("[data-locked]")).to_be_visible()
        await page.get_by_role("button", name="测试 Debtor (Debtor)").click()
        await expect(page.locator("[data-locked]")).to_have_count(0)
        await page.keyboard.press("Alt+KeyH")
        await expect(page.locator(".call-state")).to_contain_text("Call completed")
        await page.select_option("[name=action_code]", "PTP")
        await page.fill("[name=note]", "Pays half on Friday")
        await page.check("[name=promised]")
        await page.fill("[name=amount]", "600")
        await page.fill("[name=due_on]", "2030-01-31")
        await page.click(".disposition [type=submit]")
        await expect(page.locator(".notice-good")).to_have_text("Saved.")
        entry = page.locator(".entry")
        for words in ("Call completed", "Promise to pay", "Pays half on Friday", "600.00 by 31 Jan 2030"):
            await expect(entry).to_contain_text(words)
        await page.get_by_role("button", name="Listen").click(timeout=30_000)
        await expect(page.locator("audio")).to_be_visible()
        heard = "() => { const audio = document.querySelector('audio'); return audio?.duration > 1 && audio.currentTime > 0.2; }"
        await page.wait_for_function(heard)
        assert await axe_findings(page) == []
    notes = await floor.expect(200, "GET", f"/v1/cases/{case_id}/notes")
    assert [(note["state"], note["action_code"], note["text"]) for note in notes["items"]] == [
        ("final", "PTP", "Pays half on Friday")
    ]


async def test_a_busy_number_is_told_and_its_draft_completed_later(floor: Floor) -> None:
    case_id = await floor.case(BUSY, collector="collector")
    async with chromium() as browser, reader(browser, floor.base) as page:
        await _sit_down(page, floor, case_id)
        await page.click(".button-call")
        await expect(page.locator(".call-state")).to_contain_text("Busy", timeout=15_000)
        await page.reload()
        await page.get_by_role("button", name="Complete the note").click()
        await page.select_option("[name=action_code]", "BUSY")
        await page.fill("[name=note]", "Busy")
        await page.click(".disposition [type=submit]")
        await expect(page.locator(".entry-text")).to_have_text("Busy")


async def test_a_number_that_is_not_to_be_called_has_no_button_and_a_reason(floor: Floor) -> None:
    number = {"e164": ANSWERS, "kind": "mobile", "do_not_call": True}
    case_id = await floor.case(collector="collector", party={"numbers": [number]})
    async with chromium() as browser, reader(browser, floor.base) as page:
        await _sit_down(page, floor, case_id)
        await expect(page.locator(".why-not")).to_contain_text("The number is marked do-not-call.")
        await expect(page.locator(".button-call")).to_have_count(0)
