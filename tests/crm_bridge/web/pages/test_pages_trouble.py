"""A stream that breaks, a PBX that is gone, a session that ends."""

import pytest
from playwright.async_api import expect

from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_broken_stream_is_told_and_what_was_missed_is_fetched(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    sitting.desk.break_streams(stay_down=True)
    await expect(page.locator("[data-banner=stream]")).to_be_visible()
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected")
    sitting.desk.stream_down = False
    await expect(page.locator("[data-banner=stream]")).to_have_count(0)
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "connected")


async def test_a_call_that_ended_unseen_is_shown_as_ended(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    sitting.desk.break_streams(stay_down=True)
    await expect(page.locator("[data-banner=stream]")).to_be_visible()
    await sitting.desk.move(call, "ended", end_reason="no_answer", outcome="no_answer")
    sitting.desk.stream_down = False
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "ended")


async def test_a_lost_pbx_is_told_before_anybody_clicks(sitting: Sitting) -> None:
    sitting.desk.problems = {"pbx:main": "down: refused"}
    page = await sitting.log_in()
    await expect(page.locator("[data-banner=pbx]")).to_contain_text("cannot be reached")
    sitting.desk.problems = {}
    await sitting.desk.push("pbx.state", data={"pbx": "main", "state": "up"})
    await expect(page.locator("[data-banner=pbx]")).to_have_count(0)


async def test_a_recorder_that_is_not_ready_is_told(sitting: Sitting) -> None:
    sitting.desk.problems = {"spool:main": "is full"}
    page = await sitting.log_in()
    await expect(page.locator("[data-banner=recorder]")).to_contain_text("recorder is not ready")


async def test_a_session_that_ends_leads_to_the_login(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await page.context.clear_cookies(name="canned_session")
    await page.click('a[href="/cases/US-77-0031"]')
    await page.wait_for_url("**/login?next=%2Fcases%2FUS-77-0031")


async def test_a_session_that_ends_in_a_call_leaves_the_call_in_view(sitting: Sitting) -> None:
    page = await sitting.open_case()
    await sitting.call()
    await page.context.clear_cookies(name="canned_session")
    await page.click('a[href="/cases/US-77-0031"]')
    await expect(page.locator("[data-banner=session-ended]")).to_contain_text("The call goes on at your phone.")
    await expect(page.locator(".call-who")).to_have_text("王伟")


async def test_an_answer_that_is_not_json_is_an_error_in_words(sitting: Sitting) -> None:
    page = await sitting.open_case()
    await page.route(
        "**/v1/calls", lambda route: route.fulfill(status=500, content_type="text/html", body="<h1>oops</h1>")
    )
    await page.click('[data-number="+8613800138000"] .button-call')
    await expect(page.locator(".call-notice")).to_contain_text("Something went wrong. Try again.")
