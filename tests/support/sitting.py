"""Somebody at a desk in a browser: what tests of the pages do again and again."""

from typing import Any

from playwright.async_api import Page

from tests.support.browser import log_in
from tests.support.desk_api import PASSWORD, CannedDesk


class Sitting:
    """Somebody at a desk: the page, and the service behind it."""

    def __init__(self, page: Page, desk: CannedDesk, origin: str) -> None:
        self.page = page
        self.desk = desk
        self.origin = origin

    async def log_in(self, name: str = "li.na") -> Page:
        """Log in by keyboard and wait for the cases."""
        await self.page.goto("/login")
        await log_in(self.page, name, PASSWORD)
        await self.page.wait_for_selector(".case-row")
        await self.page.wait_for_selector("#stream-state[data-state=open]")
        return self.page

    async def open_case(self, case_id: str = "HX-2026-000412", name: str = "li.na") -> Page:
        """Log in and open a case."""
        page = await self.log_in(name)
        await page.click(f'a[href="/cases/{case_id}"]')
        await page.wait_for_selector(".party")
        return page

    async def call(self, number: str = "+8613800138000") -> dict[str, Any]:
        """Click a number of the open case; the call as it stands when the collector's phone rings."""
        await self.page.click(f'[data-number="{number}"] .button-call')
        await self.page.wait_for_selector("call-bar[data-state=calling_agent]")
        return list(self.desk.calls.values())[-1]
