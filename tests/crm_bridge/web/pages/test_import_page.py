"""The page of imports in a browser, on the real API: send, map, check, try, import, confirm; both languages, axe-clean."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Page, expect

from crm_bridge.people.users import Role
from tests.support import browser as browsers
from tests.support.api import Service
from tests.support.browser import axe_findings
from tests.support.imports import csv_file, line, worker
from tests.support.real_pages import log_in, real_pages

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOSTILE = '<img src=x onerror="document.title=1">\u202egnp.exe'


@dataclass
class Opened:
    """A browser page, and the service behind it."""

    page: Page
    service: Service

    async def log_in(self, name: str) -> Page:
        """Log in, and open the page of imports."""
        page = await log_in(self.page, name, "/supervisor/import")
        await page.wait_for_selector("#import-file")
        return page

    async def send(self, *rows: list[str], encoding: str = "utf-8", name: str = "清单.csv") -> None:
        """Choose a file and send it."""
        file = FilePayload(name=name, mimeType="text/csv", buffer=csv_file(*rows, encoding=encoding))
        await self.page.fill("#import-client", "bank")
        await self.page.set_input_files("#import-file", file)
        await self.page.click("[data-focus=send]")
        await self.page.wait_for_selector("[data-focus=check]")

    async def state(self, name: str) -> None:
        """Let the worker work, until the page shows this state."""
        await self.worked(f".detail [data-state-of={name}]")

    async def worked(self, selector: str) -> None:
        """Let the worker work, until the page shows this."""
        for _ in range(60):
            await worker(self.service).tick()
            try:
                return await expect(self.page.locator(selector).first).to_be_visible(timeout=250)
            except AssertionError:
                continue
        await expect(self.page.locator(selector).first).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    """The page on the real API; parametrise indirectly with {"locale": …, "dark": …}."""
    people: dict[str, tuple[Role, str]] = {"boss": ("supervisor", "en"), "zhu": ("supervisor", "zh")}
    async with (
        real_pages(tmp_path, people) as (service, origin),
        browsers.reader(chromium, origin, **getattr(request, "param", {})) as page,
    ):
        yield Opened(page, service)


BOTH = pytest.mark.parametrize(
    "opened", [{"locale": "en-GB"}, {"locale": "zh-CN", "dark": True}], indirect=True, ids=["en-light", "zh-dark"]
)


@BOTH
async def test_a_file_goes_from_the_desk_into_cases_and_back_to_the_client(
    opened: Opened, request: pytest.FixtureRequest
) -> None:
    page = await opened.log_in("zhu" if "zh" in request.node.name else "boss")
    assert await axe_findings(page) == []
    rows = [line("A1", 姓名=HOSTILE), line("A2", 手机号码="12345"), line("A3", 单位电话="0371-6555 1234 转 802")]
    await opened.send(*rows, encoding="gb18030")
    await expect(page.locator("[data-column=手机号码]")).to_contain_text("13800138000")
    assert await page.input_value("[data-focus='field 案件编号']") == "case_id"
    assert await axe_findings(page) == []
    await page.check(".check input[type=checkbox]")
    await page.fill("input.name", "monthly")
    await page.click("[data-focus=check]")
    await opened.state("checked")
    await expect(page.locator("[data-figure=bad] strong")).to_have_text("1")
    await expect(page.locator("[data-row='3'] [data-code=bad-number] .column")).to_have_text("手机号码")
    await page.select_option("[data-focus=outcome]", "ready")
    await expect(page.locator("[data-row='4'] [data-code=extension]")).to_be_visible()
    assert await axe_findings(page) == []
    await expect(page.locator("[data-focus=run]")).to_have_attribute("aria-disabled", "true")
    await page.click("[data-focus=try]")
    await opened.worked("#tried")
    await expect(page.locator("#tried li").first).to_contain_text("2")
    await page.check("[data-focus=despite]")
    await page.click("[data-focus=run]")
    await opened.state("done")
    await expect(page.locator("[data-figure=created] strong")).to_have_text("2")
    async with page.expect_download() as download:
        await page.click("[data-paper=xlsx]")
    assert (await (await download.value).path()).read_bytes().startswith(b"PK")
    await page.fill("#import-confirm", "ops@bank")
    await page.press("#import-confirm", "Enter")
    await expect(page.locator(".facts")).to_contain_text("ops@bank")
    assert await axe_findings(page) == []
    assert await page.title() != "1"
    await page.reload()
    await expect(page.locator(".detail [data-state-of=done]")).to_be_visible()


async def test_columns_are_chosen_by_keyboard_and_the_case_number_is_asked_for(opened: Opened) -> None:
    page = await opened.log_in("boss")
    await opened.send(line("A1"))
    chosen = page.locator("[data-focus='field 案件编号']")
    await chosen.focus()
    await chosen.select_option("")
    await expect(chosen).to_be_focused()
    await page.press("[data-focus=check]", "Enter")
    await expect(page.locator("[role=alert].notice")).to_contain_text("case number")
    await chosen.select_option("case_id")
    await page.select_option("[data-focus='person 联系人1电话']", "2")
    await page.press("[data-focus=check]", "Enter")
    await opened.state("checked")


async def test_a_file_that_cannot_be_read_says_why_and_another_way_is_tried(opened: Opened) -> None:
    page = await opened.log_in("boss")
    await opened.send(["", "report"], line("A1"))
    await page.fill("#import-header", "2")
    await page.press("#import-header", "Tab")
    await expect(page.locator(".columns")).not_to_contain_text("手机号码")
    await page.fill("#import-header", "1")
    await page.press("#import-header", "Tab")
    await expect(page.locator("[data-column=手机号码]")).to_be_visible()


async def test_an_import_is_stopped_with_a_reason(opened: Opened) -> None:
    page = await opened.log_in("boss")
    await opened.send(line("A1"))
    await page.click("summary:has-text('Stop')")
    await page.fill("#import-cancel", "the wrong file")
    await page.press("#import-cancel", "Enter")
    await expect(page.locator(".detail [data-state-of=canceled]")).to_be_visible()
