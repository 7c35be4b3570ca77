"""A day in a CRM's life: cases from Tryton, a page of another origin, real phones, and every call's note back in Tryton."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from crm_bridge.demo.lab import Lab
from tests.support.browser import axe_findings, chromium
from tests.support.callers import Callers, opened_to_callers
from tests.support.crm_day import DEBTOR, Day, crm_day, until
from tests.support.crm_floor import at_the_crm, until_live
from tests.support.tryton import Tryton

pytestmark = pytest.mark.flow

SHOTS = os.environ.get("SHOTS")
"""A folder for pictures of the pages, where somebody wants to look at them."""
PATIENCE = 60_000


async def _shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def test_a_day_in_a_crms_life(lab: Lab, tmp_path: Path, gate_port: int, tryton: Tryton) -> None:
    async with (
        crm_day(lab, tmp_path, gate_port, tryton) as day,
        chromium() as browser,
        at_the_crm(browser, day.origin) as page,
    ):
        day.lifetimes = [15]
        await _a_number_becomes_a_call_and_the_call_a_note(day, page)
        await _the_token_expires_and_is_renewed(day, page)
        async for callers in opened_to_callers(day.floor):
            await _who_calls_in_pops(day, page, callers)
        await _a_complaint_takes_the_button_away(day, page)
        assert len(await tryton.people.notes(day.work)) == 3


async def _a_number_becomes_a_call_and_the_call_a_note(day: Day, page: Page) -> None:
    await page.goto("/")
    await until_live(page)
    link = page.locator(f"call-link[case='{day.case_id}']")
    await expect(link).to_have_attribute("data-allowed", "true", timeout=PATIENCE)
    await link.get_by_role("button").click()
    await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking", timeout=PATIENCE)
    await page.evaluate("CallBridge.hangup()")
    await expect(page.locator(".call-state")).to_contain_text("Call completed", timeout=PATIENCE)
    await page.select_option("[name=action_code]", "PTP")
    await page.fill("[name=note]", "Pays half on Friday")
    await page.check("[name=promised]")
    await page.fill("[name=amount]", "600")
    await page.fill("[name=due_on]", "2030-01-31")
    await page.click(".disposition [type=submit]")
    await expect(page.locator(".notice-good")).to_have_text("Saved.", timeout=PATIENCE)
    (text,) = await day.until_notes(1)
    for part in ("Call", "outbound", DEBTOR, "Wang Wei", "PTP", "2030-01-31 · 600", "Pays half on Friday"):
        assert part in text
    (synced,) = await day.until_journal("note.synced", 1)
    assert (synced["case_id"], synced["data"]["destination"]) == (day.case_id, "Agency")


async def _the_token_expires_and_is_renewed(day: Day, page: Page) -> None:
    async def renewed() -> bool:
        return day.minted >= 2

    await until(renewed)
    await page.evaluate("CallBridge.setAgentState('ready')")
    await expect(page.locator("agent-state")).to_have_attribute("data-state", "ready", timeout=PATIENCE)
    await expect(page.locator("call-bar .notice-bad")).to_have_count(0)


async def _who_calls_in_pops(day: Day, page: Page, callers: Callers) -> None:
    await callers.route()
    template = {"template": f"{day.origin}/case?id={{case_id}}"}
    await day.floor.expect(200, "PUT", "/v1/screen-pop-links/anytime", user="crm", body=template)
    await page.goto("/case?id=elsewhere")
    await until_live(page)
    await callers.call(DEBTOR)
    panel = page.locator("incoming-call")
    await expect(panel).to_be_visible(timeout=PATIENCE)
    await expect(panel).to_have_attribute("data-state", "answered", timeout=PATIENCE)
    await _shot(page, "day-pop")
    await panel.get_by_role("button", name="Open the case").click()
    await page.wait_for_url(f"**/case?id={day.case_id}")
    await until_live(page)
    await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking", timeout=PATIENCE)
    assert await axe_findings(page) == []
    await page.evaluate("CallBridge.hangup()")
    await expect(page.locator("call-panel")).to_have_attribute("data-state", "ended", timeout=PATIENCE)
    await page.evaluate("CallBridge.saveLog({ actionCode: 'NEG', note: 'Asks for the balance' })")
    texts = await day.until_notes(2)
    assert "inbound" in texts[1]
    assert "Asks for the balance" in texts[1]


async def _a_complaint_takes_the_button_away(day: Day, page: Page) -> None:
    await page.fill("#complaint [name=text]", "They called me at work")
    await page.click("#complaint button")
    await expect(page.locator("#log")).to_contain_text(f"case {day.case_id} must not be called", timeout=PATIENCE)
    await page.locator("#numbers a").first.click()
    await expect(page.locator("#log")).to_contain_text("refused", timeout=PATIENCE)
    await page.goto("/")
    await until_live(page)
    link = page.locator(f"call-link[case='{day.case_id}']")
    await expect(link).to_have_attribute("data-allowed", "false", timeout=PATIENCE)
    await expect(link).to_contain_text("complaint")
    await _shot(page, "day-complaint")
    texts = await day.until_notes(3)
    assert "Complaint opened" in texts[2]
    assert "severity general" in texts[2]
