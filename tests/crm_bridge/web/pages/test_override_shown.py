"""A call that needed a supervisor's leave says so in the case's time line for ever."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from config import clock
from tests.support import browser as browsers
from tests.support.desk import case, finished_call
from tests.support.real_pages import log_in, real_pages

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_time_line_names_who_let_a_call_through_and_why(chromium: Browser, tmp_path: Path) -> None:
    leave = {"by": "zhou", "reason": "asked for <b>today</b>", "expires_at": None, "rules": ["cn-outsourcing/hours"]}
    async with real_pages(tmp_path, {"li": ("collector", "en")}) as (service, origin):
        await service.add("crm", "crm")
        await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
        await finished_call(service.database, clock.now() - timedelta(minutes=5), agent="li", override=leave)
        async with browsers.reader(chromium, origin, locale="en-GB") as page:
            await log_in(page, "li", "/cases/c1")
            await expect(page.locator("[data-override]")).to_have_text("Allowed by zhou: asked for <b>today</b>")
