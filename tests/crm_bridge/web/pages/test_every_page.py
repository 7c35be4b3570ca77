"""Each page of the table, and the log-in: clean for axe in both schemes, translated whole, and usable at 1280×720.

The whole application runs behind them, on a database that holds one object of every kind (`tests/support/foreign_worlds.py`).
"""

import re
import shutil
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Browser, expect
from playwright.async_api import Page as Shown
from pydantic import SecretStr

from config.database import Database
from config.settings import Archive, DatabaseSettings, Keys, Pbx, Settings
from crm_bridge.app import build, make_app
from crm_bridge.web.page_table import PAGES, Page
from tests.crm_bridge.web.pages.test_pages_accessibility import UNTRANSLATED
from tests.support import browser as browsers
from tests.support.api import PASSWORD, Service
from tests.support.browser import axe_findings
from tests.support.databases import create_tables
from tests.support.foreign_worlds import furnish
from tests.support.real_pages import log_in

pytestmark = pytest.mark.asyncio(loop_scope="session")
ENGLISH = {"locale": "en-GB", "dark": False}
CHINESE = {"locale": "zh-CN", "dark": True}
READER = {"en-GB": "reader", "zh-CN": "duzhe"}
LOOKS = pytest.mark.parametrize("look", [ENGLISH, CHINESE], ids=["en-light", "zh-dark"])

# What a mouse can press and Tab never reaches: not an element made for it, and not made one.
UNREACHABLE = """() => [...document.querySelectorAll('[onclick], [role=button], [role=link], [role=tab], [role=menuitem]')]
  .filter(one => one.tabIndex < 0 && !one.closest('[hidden]') && !one.closest('[role=tablist], [role=menu]'))
  .map(one => one.outerHTML.slice(0, 120))"""
WIDER = "document.documentElement.scrollWidth - innerWidth"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The origin of the whole application, without its background work; a reader of each role and language may log in."""
    folder = tmp_path_factory.mktemp("every-page")
    url = f"sqlite+aiosqlite:///{folder / 'ringfence.db'}"
    await create_tables(url)
    furnishing = Database(url)
    await furnish(furnishing)
    await furnishing.close()
    services = build(
        Settings(
            database=DatabaseSettings(url=url),
            pbx=[Pbx(name="main", username="ringfence", secret=SecretStr("secret"), spool_local=folder / "spool")],
            archive=Archive(url=f"file://{folder / 'archive'}"),
            keys=Keys(master=folder / "keys" / "master.key"),
        )
    )
    app = make_app(services)
    app.cleanup_ctx.clear()
    async with TestClient[web.Request, web.Application](TestServer(app)) as client:
        service = Service(services.database, client)
        for index, role in enumerate(("collector", "qa", "supervisor", "admin")):
            for prefix, language in (("reader", "en"), ("duzhe", "zh")):
                phone = {"extension": f"20{index}{len(prefix)}", "pbx": "main"} if role == "collector" else {}
                await service.add(f"{prefix}-{role}", role, language=language, password=PASSWORD, **phone)
        yield f"http://127.0.0.1:{client.port}"
    await services.database.close()
    shutil.rmtree(folder, ignore_errors=True)


async def _settled(page: Shown) -> None:
    """Until nothing is asked for any more; a live page keeps its stream open, so the network alone never says so."""
    await expect(page.locator("h1, main")).not_to_have_count(0)
    await page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
    await page.evaluate("""async () => {
      let before = -1;
      for (let quiet = 0; quiet < 3; ) {
        await new Promise(done => setTimeout(done, 150));
        const now = performance.getEntriesByType('resource').length;
        quiet = now === before ? quiet + 1 : 0;
        before = now;
      }
    }""")


async def _clean(page: Shown, language: str) -> None:
    assert await axe_findings(page) == []
    if language == "zh-CN":
        assert await page.evaluate(UNTRANSLATED) == []
    assert await page.evaluate(WIDER) <= 0
    assert await page.evaluate(UNREACHABLE) == []


@LOOKS
@pytest.mark.parametrize("shown", PAGES, ids=lambda one: one.address)
async def test_a_page_is_clean_whole_and_translated(
    chromium: Browser, filled: str, shown: Page, look: dict[str, object]
) -> None:
    language = str(look["locale"])
    role = "admin" if "admin" in shown.roles else shown.roles[0]
    async with browsers.reader(chromium, filled, locale=language, dark=bool(look["dark"])) as page:
        await log_in(page, f"{READER[language]}-{role}", shown.address)
        await page.wait_for_url(lambda url: urlsplit(url).path == shown.address)
        await _settled(page)
        assert not re.search(r"\b[a-z]+(_[a-z]+)*\.[a-z_]+\.[a-z_.]+\b", await page.locator("body").inner_text())
        await _clean(page, language)


@LOOKS
async def test_the_pages_before_the_log_in_are_clean(chromium: Browser, filled: str, look: dict[str, object]) -> None:
    language = str(look["locale"])
    async with browsers.reader(chromium, filled, locale=language, dark=bool(look["dark"])) as page:
        await page.goto("/login")
        await _settled(page)
        await _clean(page, language)


@pytest.mark.parametrize("role", ["collector", "qa", "supervisor", "admin"])
async def test_the_navigation_offers_each_role_its_pages_and_no_other(
    chromium: Browser, filled: str, role: str
) -> None:
    theirs = {page.address for page in PAGES if role in page.roles}
    async with browsers.reader(chromium, filled) as page:
        await log_in(page, f"reader-{role}", "/deadlines")
        await page.wait_for_url(lambda url: urlsplit(url).path == "/deadlines")
        await _settled(page)
        offered = set(
            await page.eval_on_selector_all(
                "header nav a, nav a", "all => all.filter(a => !a.hidden).map(a => a.pathname)"
            )
        )
        assert offered <= theirs | {"/deadlines"}, offered - theirs
