"""People, tokens, the journal, the wallboard and a password that must be changed, in Chromium on the real API."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from config import clock
from config.journal import Entry
from crm_bridge.tables import users
from tests.crm_bridge.web.pages.test_pages_accessibility import UNTRANSLATED
from tests.support import browser as browsers
from tests.support.api import PASSWORD, Service
from tests.support.browser import axe_findings
from tests.support.desk import finished_call
from tests.support.real_pages import log_in, real_pages

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOSTILE = "evil\u202e<img src=x onerror=alert(1)>"
NEW = "another good password"


@pytest_asyncio.fixture(loop_scope="session")
async def floor(tmp_path: Path) -> AsyncIterator[tuple[Service, str]]:
    people = {"root": ("admin", "en"), "guan": ("admin", "zh"), "li": ("collector", "en"), "chen": ("supervisor", "en")}
    async with real_pages(tmp_path, people) as opened:  # type: ignore[arg-type]  # a Mapping of literals
        async with opened[0].database.write() as transaction:
            await transaction.execute(update(users).where(users.c.name == "li").values(team=HOSTILE))
        yield opened


async def _clean(page: Page, *, zh: bool = False) -> None:
    assert await axe_findings(page) == []
    if zh:
        assert await page.evaluate(UNTRANSLATED) == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


async def test_a_person_is_found_added_changed_and_let_go_by_keyboard(
    chromium: Browser, floor: tuple[Service, str]
) -> None:
    service, origin = floor
    async with browsers.reader(chromium, origin) as page:
        await log_in(page, "root", "/admin/people")
        await expect(page.locator("[data-person=li]")).to_contain_text(HOSTILE)
        await _clean(page)
        await page.get_by_role("button", name="New person").press("Enter")
        await page.keyboard.type("wang")
        await page.get_by_label("Role").last.select_option("supervisor")
        await page.fill("#person-extension", "1077")
        await page.fill("#person-clients", "华信银行, bank")
        await page.fill("#person-password", PASSWORD)
        await _clean(page)
        await page.locator("[data-focus=save-person]").press("Enter")
        await expect(page.get_by_role("status").filter(has_text="wang is saved")).to_be_visible()
        await expect(page.locator("[data-person=wang]")).to_contain_text("Must be changed")
        await page.fill("#ask-q", "WAN")
        await page.press("#ask-q", "Enter")
        await expect(page.locator("tr[data-person]")).to_have_count(1)
        await page.locator("[data-focus=person-wang]").press("Enter")
        await page.locator("[data-focus=let-go]").press("Enter")
        await expect(page.get_by_role("status").filter(has_text="comes in no more")).to_be_visible()
        await page.get_by_label("State").select_option("false")
        await expect(page.locator("[data-person=wang]")).to_contain_text("Off")
    assert [entry.data["user"] for entry in await service.journal("user.let_go")] == ["wang"]


async def test_a_token_is_shown_once_and_revoked(chromium: Browser, floor: tuple[Service, str]) -> None:
    service, origin = floor
    async with browsers.reader(chromium, origin, dark=True) as page:
        await log_in(page, "root", "/admin/people")
        await page.fill("#token-user", "li")
        await page.fill("#token-label", HOSTILE)
        await page.fill("#token-scopes", "cases:read calls")
        await page.press("#token-scopes", "Enter")
        made = page.locator("[data-focus=made-token]")
        await expect(made).to_be_focused()
        service.tokens["made"] = await made.input_value()
        await service.get("/v1/cases", "made")
        await service.get("/v1/policies", "made", status=403)
        await _clean(page)
        row = page.locator("[data-token]")
        await expect(row).to_contain_text("cases:read, calls")
        await row.get_by_role("button").press("Enter")
        await expect(row).to_have_count(0)
        await service.get("/v1/session", "made", status=401)
        await page.fill("#token-user", "nobody")
        await page.press("#token-user", "Enter")
        await expect(page.locator("token-list [role=alert]")).to_be_visible()


async def test_the_journal_is_searched_checked_and_taken_along(chromium: Browser, floor: tuple[Service, str]) -> None:
    service, origin = floor
    async with service.database.write() as transaction:
        transaction.journal(
            Entry(clock.now(), "note.final", "li", HOSTILE, "li", "HX-1", data={"text": "承诺周五还款"})
        )
    async with browsers.reader(chromium, origin) as page:
        await log_in(page, "root", "/admin/journal")
        await page.fill("#journal-q", "周五")
        await page.press("#journal-q", "Enter")
        await expect(page.locator("[data-entry]")).to_have_count(1)
        await page.locator("[data-entry] summary").press("Enter")
        await expect(page.locator("pre")).to_contain_text("承诺周五还款")
        await _clean(page)
        async with page.expect_download() as download:
            await page.locator("[data-focus=export]").press("Enter")
        text = Path(await (await download.value).path()).read_text("utf-8-sig")
        assert len(text.splitlines()) == 2
        assert "承诺周五还款" in text
        await page.fill("#journal-q", "")
        await page.fill("#journal-kind", "journal.")
        await page.press("#journal-kind", "Enter")
        await expect(page.locator("[data-entry] th")).to_have_text("journal.exported")
        await page.locator("[data-focus=verify]").press("Enter")
        await expect(page.get_by_role("status").locator(".notice")).to_be_visible()
        await _clean(page)


async def test_the_wallboard_tells_figures_and_nobody(chromium: Browser, floor: tuple[Service, str]) -> None:
    service, origin = floor
    open_call = {"state": "connected", "ended_at": None, "outcome": "live", "end_reason": None}
    await finished_call(service.database, clock.now(), agent="li", **open_call)
    await finished_call(service.database, clock.now(), agent="li")
    async with browsers.reader(chromium, origin) as page:
        await log_in(page, "chen", "/wallboard")
        await expect(page.locator("[data-tile=live] .figure")).to_have_text("1")
        await expect(page.locator("[data-tile=today] .figure")).to_have_text("1")
        assert not re.search(r"\bli\b|1380013", await page.locator("main").inner_text())
        await _clean(page)
        size = await page.locator("[data-tile=live] .figure").evaluate(
            "element => parseFloat(getComputedStyle(element).fontSize)"
        )
        assert size >= 100


@pytest.mark.parametrize("address", ["/admin/people", "/admin/journal", "/wallboard"])
async def test_each_page_speaks_chinese_in_the_dark(
    chromium: Browser, floor: tuple[Service, str], address: str
) -> None:
    _, origin = floor
    async with browsers.reader(chromium, origin, locale="zh-CN", dark=True) as page:
        await log_in(page, "guan", address)
        await expect(page.locator("h1")).to_have_text(
            {"/admin/people": "人员", "/admin/journal": "日志"}.get(address, "现场大屏")
        )
        await page.wait_for_selector("tbody tr, .figure")
        await _clean(page, zh=address != "/admin/journal")


async def test_a_password_that_must_be_changed_stops_everything_else(
    chromium: Browser, floor: tuple[Service, str]
) -> None:
    service, origin = floor
    async with service.database.write() as transaction:
        await transaction.execute(update(users).where(users.c.name == "chen").values(must_change_password=True))
    async with browsers.reader(chromium, origin) as page:
        await log_in(page, "chen", "/supervisor")
        await expect(page.locator("h1")).to_have_text("A new password")
        await _clean(page)
        await page.goto("/supervisor/complaints")
        await expect(page).to_have_url(re.compile(r"/password\?next="))
        for old, new, again, said in (
            ("wrong", NEW, NEW, "not your password until now"),
            (PASSWORD, "short", "short", "at least 8"),
            (PASSWORD, NEW, "other", "not the same"),
        ):
            for name, value in (("old", old), ("new", new), ("again", again)):
                await page.fill(f"#{name}", value)
            await page.press("#again", "Enter")
            await expect(page.get_by_role("alert")).to_contain_text(said)
        await page.fill("#again", NEW)
        await page.press("#again", "Enter")
        await expect(page).to_have_url(re.compile("/supervisor/complaints"))
        await expect(page.locator("#who")).to_have_text("chen")
