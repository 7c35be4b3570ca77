"""Retrieval requests in Chromium: asked for, due, handed over as a zip; by keyboard, in both languages, with axe."""

import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support import browser as browsers
from tests.support.browser import axe_findings, log_in
from tests.support.replay_desk import PASSWORD, ReplayDesk, replay_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[ReplayDesk]:
    async with replay_desk(tmp_path) as opened:
        yield opened


async def _enter(page: Page, name: str) -> None:
    await page.goto("/qa/retrievals")
    await log_in(page, name, PASSWORD)
    await page.wait_for_selector("#who:not(:empty)")


async def test_a_request_is_made_by_keyboard_and_its_bundles_stop_the_clock(
    chromium: Browser, desk: ReplayDesk, tmp_path: Path
) -> None:
    call = desk.calls["王伟"]
    async with browsers.reader(chromium, desk.origin, locale="en-GB") as page:
        await _enter(page, "chen.qa")
        await expect(page.locator("[role=status]")).to_contain_text("Nothing was asked for")
        await page.locator("[data-focus=new]").press("Enter")
        await expect(page.locator("#cases")).to_be_focused()
        await page.fill("#calls", "no-such-call")
        await page.fill("#reason", "the bank, audit of June")
        await page.press("#reason", "Enter")
        await expect(page.locator("[data-problem]")).to_contain_text("no-such-call")
        await page.fill("#calls", call.id)
        await page.press("#reason", "Enter")
        row = page.locator("[data-retrieval]")
        await expect(row).to_contain_text("the bank, audit of June")
        await expect(row).to_contain_text("Open")
        assert await axe_findings(page) == []
        async with page.expect_download() as downloading:
            await row.get_by_role("button", name="Download the bundles").press("Enter")
        saved = tmp_path / "bundles.zip"
        await (await downloading.value).save_as(saved)
        assert zipfile.ZipFile(saved).namelist() == [f"{call.id}.zip"]
        await expect(row).to_contain_text("Handed over by")
    (entry,) = await desk.recorder.journal("retrieval.done")
    assert entry.actor == "chen.qa"


async def test_the_page_speaks_chinese_and_offers_no_more_than_the_role_may_use(
    chromium: Browser, desk: ReplayDesk
) -> None:
    async with browsers.reader(chromium, desk.origin, locale="zh-CN", dark=True) as page:
        await _enter(page, "liu.qa")
        await expect(page.locator("h1")).to_have_text("调取请求")
        await expect(page.locator(".sections a:visible")).to_have_text(
            ["录音回放", "质检", "异常", "调取请求", "保存期限"]
        )
        await expect(page.locator(".sections a[aria-current=page]")).to_have_text("调取请求")
        assert await axe_findings(page) == []
