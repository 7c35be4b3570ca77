"""Samples and reviews in Chromium on the real service: drawn, opened in the replay desk, scored by keyboard, with axe."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from crm_bridge.qa import samples
from telephony.policy.zones import local_date, start_of_day
from telephony.tables import calls
from tests.support import browser as browsers
from tests.support.browser import axe_findings, log_in
from tests.support.replay_desk import PASSWORD, ReplayDesk, replay_desk
from tests.support.spooled import START

pytestmark = pytest.mark.asyncio(loop_scope="session")
ZONE = "Asia/Shanghai"
HOSTILE = "<img src=x onerror=alert(1)> \u202eesrever"


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[ReplayDesk]:
    async with replay_desk(tmp_path) as opened:
        values = {
            "connected_at": START + timedelta(seconds=5),
            "ended_at": START + timedelta(seconds=121),
            "created_at": START,
        }
        async with opened.recorder.database.write() as transaction:
            await transaction.execute(update(calls).values(**values))
        night = start_of_day(ZONE, local_date(START, ZONE) + timedelta(days=1))
        assert await samples.make_daily(opened.recorder.database, ZONE, night + timedelta(hours=1)) == 1
        yield opened


async def _enter(page: Page, name: str) -> None:
    await page.goto("/qa/reviews")
    await log_in(page, name, PASSWORD)
    await page.wait_for_selector("#who:not(:empty)")


async def test_a_sampled_call_is_heard_and_scored_and_its_finding_has_a_clock(
    chromium: Browser, desk: ReplayDesk
) -> None:
    async with browsers.reader(chromium, desk.origin, locale="en-GB") as page:
        await _enter(page, "chen.qa")
        await expect(page.locator("review-desk [role=status]")).to_have_text("0 of 3 reviewed")
        assert await axe_findings(page) == []
        await page.locator("tr[data-call] a").first.click()
        await expect(page.locator("replay-player h1, replay-player h2").first).to_be_visible()
        await expect(page.locator("#question-lawful")).to_be_visible()
        for control in await page.locator(".question select").all():
            await control.select_option(index=1)
        await expect(page.locator("#review-score")).to_have_text("100")
        await page.select_option("#question-lawful", "0")
        await expect(page.locator("#review-score")).to_have_text("0")
        await page.select_option("#review-finding", "major")
        await page.locator("[data-focus=save]").press("Enter")
        await expect(page.locator(".review [role=alert]")).to_contain_text("a finding needs a comment")
        await page.fill("#review-comment", HOSTILE)
        assert await axe_findings(page) == []
        await page.locator("[data-focus=save]").press("Enter")
        await expect(page.locator("[data-review]")).to_contain_text(HOSTILE)
        await expect(page.locator("[data-review]")).to_contain_text("Score 0")
        await page.goto("/qa/reviews")
        await expect(page.locator("review-desk [role=status]")).to_have_text("1 of 3 reviewed")
    (entry,) = await desk.recorder.journal("qa.reviewed")
    assert (entry.actor, entry.data["finding"], entry.data["comment"]) == ("chen.qa", "major", HOSTILE)
    assert [one.data["deadline"] for one in await desk.recorder.journal("deadline.opened")] == ["qa-finding"]


async def test_a_spot_check_is_drawn_in_chinese(chromium: Browser, desk: ReplayDesk) -> None:
    async with browsers.reader(chromium, desk.origin, locale="zh-CN", dark=True) as page:
        await _enter(page, "liu.qa")
        await page.locator("[data-focus=spot]").press("Enter")
        await expect(page.locator("#spot-reason")).to_be_focused()
        await page.fill("#spot-from", local_date(START, ZONE).isoformat())
        await page.fill("#spot-to", local_date(START, ZONE).isoformat())
        await page.fill("#spot-number", "2")
        await page.fill("#spot-reason", HOSTILE)
        assert await axe_findings(page) == []
        await page.press("#spot-reason", "Enter")
        await expect(page.locator("review-desk section")).to_contain_text(HOSTILE)
        await expect(page.locator("tr[data-call]")).to_have_count(2)
        assert await axe_findings(page) == []
