"""The page of reports in Chromium on the real service: plots beside their tables, files, both languages, axe on each."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import insert

from config import clock
from config.identifiers import new_id
from crm_bridge.reports.keeping import PeriodReports
from telephony.tables import calls
from tests.support import browser as browsers
from tests.support.browser import axe_findings, log_in
from tests.support.replay_desk import PASSWORD, ReplayDesk, replay_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOSTILE = "<img src=x onerror=alert(1)>\u202eesrever"


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[ReplayDesk]:
    async with replay_desk(tmp_path) as opened:
        await _calls(opened)
        yield opened


async def _calls(desk: ReplayDesk) -> None:
    """Twelve calls of today, half of them answered, by somebody whose name is a trick and by somebody else."""
    now = clock.now()
    rows = [
        {
            "id": new_id(now), "direction": "outbound", "state": "ended", "role": "collector", "extension": "1001",
            "outcome": "conversation" if number % 2 else "no_answer", "agent": HOSTILE if number < 4 else "li",
            "client": "华信银行", "number": "+8613800138000", "purpose": "collect", "pbx": "main", "uniqueid": new_id(now),
            "trunk": "=t1", "decision_id": "", "created_at": now - timedelta(minutes=number), "violations": [],
            "connected_at": now if number % 2 else None, "ended_at": now,
        }
        for number in range(12)
    ]  # fmt: skip
    async with desk.recorder.database.write() as transaction:
        await transaction.execute(insert(calls), rows)


async def _enter(page: Page, name: str, where: str) -> None:
    await page.goto(where)
    await log_in(page, name, PASSWORD)
    await page.wait_for_selector("#who:not(:empty)")


async def test_figures_are_plotted_beside_their_table_and_leave_as_files(chromium: Browser, desk: ReplayDesk) -> None:
    async with browsers.reader(chromium, desk.origin, locale="en-GB") as page:
        await _enter(page, "zhou", "/supervisor/reports")
        await expect(page.locator("tbody tr")).to_have_count(24)
        await expect(page.locator("tfoot td").last).to_have_text("50%")
        await expect(page.get_by_role("img", name="Connect rate by Hour")).to_be_visible()
        assert await axe_findings(page) == []
        await page.select_option("#report-by", "agent")
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(2)
        await expect(rows.nth(1).locator("th")).to_have_text(HOSTILE)
        assert await axe_findings(page) == []
        async with page.expect_download() as downloading:
            await page.locator("[data-focus=xlsx]").press("Enter")
        assert (await downloading.value).suggested_filename.startswith("connect-rate-agent-")
        for report in ("attempts", "denials", "notes", "complaints", "first-round"):
            await page.select_option("#report-name", report)
            await expect(page.locator("report-desk > section")).to_have_attribute("aria-label", _name(report))
        await page.go_back()
        await expect(page.locator("#report-name")).to_have_value("complaints")
        await page.fill("#report-from", "2030-01-01")
        await expect(page.get_by_role("alert").last).to_contain_text("to: must not be before `from`")
    assert [entry.actor for entry in await desk.recorder.journal("report.exported")] == ["zhou"]


def _name(report: str) -> str:
    return {
        "attempts": "Attempts and conversations", "denials": "Refused calls", "notes": "Notes on time",
        "complaints": "Complaints", "first-round": "First call round",
    }[report]  # fmt: skip


async def test_reports_speak_chinese(chromium: Browser, desk: ReplayDesk) -> None:
    async with browsers.reader(chromium, desk.origin, locale="zh-CN", dark=True) as page:
        await _enter(page, "liu.qa", "/supervisor/reports?report=attempts&by=trunk")
        await expect(page.locator("h1")).to_have_text("报表")
        await expect(page.locator("tbody th").first).to_have_text("=t1")
        await expect(page.get_by_role("img", name="拨打（按线路）")).to_be_visible()
        assert await axe_findings(page) == []


async def test_reports_made_on_their_date_are_read_and_taken_away(chromium: Browser, desk: ReplayDesk) -> None:
    database, now = desk.recorder.database, clock.now()
    makes = PeriodReports(database, "Asia/Shanghai")
    await makes.tick(now)
    while not await makes.tick(now):
        now += timedelta(days=1)  # on to the Monday after
    async with browsers.reader(chromium, desk.origin, locale="en-GB") as page:
        await _enter(page, "zhou", "/supervisor/reports")
        week = page.locator("[data-kept]:has(button)", has_text="Weekly complaint report")
        made = week.filter(has_text="All clients")
        opener = made.locator("button")
        await opener.press("Enter")
        whole = page.locator("#kept-open")
        await expect(whole).to_contain_text("Opened")
        await expect(opener).to_have_attribute("aria-expanded", "true")
        assert await axe_findings(page) == []
        async with page.expect_download() as downloading:
            await made.locator("a", has_text="CSV").press("Enter")
        assert (await downloading.value).suggested_filename.startswith("complaints-weekly-")
        identifier = await made.get_attribute("data-kept")
        await page.goto(f"/supervisor/reports?kept={identifier}")  # as a mail leads to it
        await expect(whole).to_be_visible()
        await page.locator("[data-choose-language=zh]").click()
        await expect(whole).to_contain_text("新增")
        assert await axe_findings(page) == []
