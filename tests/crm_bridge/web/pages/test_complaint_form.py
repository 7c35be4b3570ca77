"""A collector who hears a complaint writes it down at the desk, and calling stops there and then."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import select

from config import clock
from crm_bridge.tables import complaints
from tests.support import browser as browsers
from tests.support.browser import axe_findings
from tests.support.desk import case, finished_call
from tests.support.real_pages import log_in, real_pages

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(("name", "language"), [("li", "en"), ("na", "zh")])
async def test_a_complaint_is_recorded_by_keyboard_with_its_call_and_stops_the_calling(
    chromium: Browser, tmp_path: Path, name: str, language: str
) -> None:
    async with real_pages(tmp_path, {name: ("collector", language)}) as (service, origin):
        await service.add("crm", "crm")
        await service.put("/v1/cases/c1", "crm", case(collector=name), status=201)
        call_id = await finished_call(service.database, clock.now() - timedelta(minutes=5), agent=name)
        async with browsers.reader(chromium, origin) as page:
            await log_in(page, name, "/cases/c1")
            await page.locator("complaint-open button").press("Enter")
            await expect(page.locator("#complaint-words")).to_be_focused()
            assert await axe_findings(page) == []
            await page.select_option("#complaint-severity", "serious")
            await page.select_option("#complaint-category", "frequency")
            await page.fill("#complaint-words", "Twelve calls <b>in one day</b>")
            await page.locator(".complaint-open [type=submit]").press("Enter")
            await expect(page.locator(".case-head .notice-bad")).to_be_visible()
            await expect(page.locator("complaint-open button")).to_have_count(0)
            await expect(page.locator(".button-call")).to_have_count(0)
        async with service.database.read() as connection:
            row = (await connection.execute(select(complaints))).one()
        assert (row.severity, row.call_id, row.text) == ("serious", call_id, "Twelve calls <b>in one day</b>")
