"""What a collector types on the phone shows in the page as a click does, and asks which case it was about where that is open."""

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import axe_findings, chromium, log_in, reader
from tests.support.desk_phones import move_phones
from tests.support.floor import Floor

pytestmark = pytest.mark.flow

SHARED, UNKNOWN = "+8613800139171", "+8613800139202"
PASSWORD = "correct horse battery"


async def _sit_down(page: Page, floor: Floor) -> None:
    change = {"password": PASSWORD, "language": "en"}
    await floor.expect(200, "PATCH", "/v1/users/wang", user="admin", body=change)
    await page.goto("/")
    await page.wait_for_url("**/login*")
    await log_in(page, "wang", PASSWORD)
    await page.wait_for_selector("#stream-state[data-state=open]")


async def test_the_page_shows_the_typed_call_and_why_one_was_refused(floor: Floor) -> None:
    await move_phones(floor, {"wang": "1006"})
    first, second = await floor.case(SHARED), await floor.case(SHARED)
    async with chromium() as browser, reader(browser, floor.base) as page:
        await _sit_down(page, floor)
        await floor.lab.world.dial("1006", UNKNOWN)
        await expect(page.locator(".call-card .notice-bad")).to_contain_text("No case of yours has this number")
        assert await axe_findings(page) == []
        await floor.lab.world.dial("1006", SHARED)
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking")
        await expect(page.locator(".call-state")).to_contain_text("Call completed")
        choice = page.locator("[data-choice=case]")
        await expect(choice.get_by_role("button")).to_have_text([first, second])
        assert await axe_findings(page) == []
        await choice.get_by_role("button", name=second).click()
        await expect(choice).to_have_count(0)
        await expect(page.locator("[name=note]")).to_be_visible()
    notes = await floor.expect(200, "GET", f"/v1/cases/{second}/notes", user="wang")
    assert [(note["state"], note["author"]) for note in notes["items"]] == [("draft", "wang")]
