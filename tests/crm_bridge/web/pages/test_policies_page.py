"""The page of policies in a browser, on the real API: read, try, save with a reason, ask what-if; both languages, axe-clean."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Browser, Page, expect
from pydantic import SecretStr
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine

from config import clock
from config.database import Database
from config.schema import metadata
from config.settings import Pbx, Policy, Settings
from crm_bridge.cases.facts import case_facts
from crm_bridge.people.users import NewUser, add_user
from crm_bridge.web import dispatch, keys, middleware, pages
from crm_bridge.web.resources import DESK
from telephony.dialling import decisions
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Gathering, Subject
from telephony.tables import policies
from tests.support import browser as browsers
from tests.support.api import PASSWORD, Service
from tests.support.browser import axe_findings, log_in
from tests.support.databases import TABLE_MODULES
from tests.support.desk import MOBILE, case

assert TABLE_MODULES
pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Opened:
    """A browser page, and the service behind it."""

    page: Page
    service: Service

    async def log_in(self, name: str) -> Page:
        """Log in, and open the page of policies."""
        page = self.page
        await page.goto("/login?next=/admin/policies")
        await log_in(page, name, PASSWORD)
        await page.wait_for_selector("[data-pack=house]")
        return page


async def _furnish(service: Service, decider: Decider) -> None:
    for name, role, language in (
        ("root", "admin", "en"),
        ("guan", "admin", "zh"),
        ("qa", "qa", "en"),
        ("crm", "crm", "en"),
    ):
        await service.add(name, role, language=language)
    async with service.database.write() as transaction:
        for name in ("reader", "boss", "zhu"):
            role = "qa" if name == "reader" else "supervisor"
            new = NewUser(name=name, role=role, password=PASSWORD, language="zh" if name == "zhu" else "en")
            await add_user(transaction, new, actor="tests", now=clock.now())
        row = {
            "client": "bank",
            "packs": ["cn-outsourcing"],
            "house": {},
            "zone": "Asia/Shanghai",
            "updated_by": "tests",
        }
        await transaction.execute(insert(policies).values(**row, updated_at=clock.now()))
    await service.put("/v1/cases/c1", "crm", case(), status=201)
    noon = clock.now().replace(hour=4, minute=0, second=0, microsecond=0) - timedelta(days=1)
    async with service.database.write() as transaction:
        subject = Subject("c1", "p1", MOBILE, "li", "collector")
        decision = await decider.decide(transaction.connection, subject, noon)
        await decisions.store(transaction, decision, "click", None)


@pytest_asyncio.fixture(loop_scope="session")
async def opened(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    """The page on the real API; parametrise indirectly with {"locale": …, "dark": …}."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    database, app = Database(url), web.Application()
    settings = Settings(pbx=[Pbx(name="main", username="ringfence", secret=SecretStr("secret"))])
    decider = Decider(Gathering(case_facts, Policy(), recorder_healthy=lambda: True))
    app[keys.DATABASE], app[keys.SETTINGS], app[keys.DECIDER] = database, settings, decider
    middleware.install(app)
    dispatch.register(app, DESK)
    pages.setup_pages(app)
    async with TestClient(TestServer(app)) as client:
        service = Service(database, client)
        await _furnish(service, decider)
        origin = f"http://127.0.0.1:{client.port}"
        async with browsers.reader(chromium, origin, **getattr(request, "param", {})) as page:
            yield Opened(page, service)
    await database.close()


BOTH = pytest.mark.parametrize(
    "opened", [{"locale": "en-GB"}, {"locale": "zh-CN", "dark": True}], indirect=True, ids=["en-light", "zh-dark"]
)


@BOTH
async def test_a_change_is_tried_saved_with_a_reason_and_shown(opened: Opened, request: pytest.FixtureRequest) -> None:
    page = await opened.log_in("zhu" if "zh" in request.node.name else "boss")
    assert await axe_findings(page) == []
    await page.click("[data-focus=rules-cn-outsourcing]")
    await expect(page.locator(".pack-rules")).to_contain_text("cn-outsourcing/hours")
    await expect(page.locator("#save")).to_have_attribute("aria-disabled", "true")
    await page.check("[data-pack=cn-gbt-45251]")
    await page.click("[data-add=hours]")
    await page.fill("#from-0", "14:00")
    await page.fill("#to-0", "15:00")
    await page.click("[data-add=caps]")
    assert await axe_findings(page) == []
    await page.click("#preview")
    await expect(page.locator(".found").first).to_contain_text("house/hours")
    await page.click("#save")
    await expect(page.locator("#reason")).to_be_focused()
    await page.fill("#reason", "asked by the bank")
    await page.click("#save")
    await expect(page.locator(".notice-good")).to_be_visible()
    assert await axe_findings(page) == []
    stored = await opened.service.get("/v1/policies/bank", "root")
    assert stored["packs"] == ["cn-outsourcing", "cn-gbt-45251"]
    assert stored["house"] == {"hours": [{"from": "14:00", "to": "15:00"}], "caps": [{"limit": 3, "days": 1}]}
    (entry,) = await opened.service.journal("policy.changed")
    assert entry.data["reason"] == "asked by the bank"


async def test_a_change_after_the_preview_asks_for_another(opened: Opened) -> None:
    page = await opened.log_in("boss")
    await page.click("#preview")
    await expect(page.locator("#save")).to_have_attribute("aria-disabled", "false")
    await page.fill("#guard", "60")
    await expect(page.locator("#save")).to_have_attribute("aria-disabled", "true")
    await page.fill("#gap", "-1")
    await page.click("#preview")
    await expect(page.locator("#save")).to_have_attribute("aria-disabled", "true")


@BOTH
async def test_what_if_by_keyboard(opened: Opened, request: pytest.FixtureRequest) -> None:
    page = await opened.log_in("zhu" if "zh" in request.node.name else "boss")
    for field, value in (("case", "c1"), ("party", "p1"), ("number", MOBILE), ("at", "2027-06-01T23:30")):
        await page.fill(f"#ask-{field}", value)
    await page.press("#ask-number", "Enter")
    await expect(page.locator("#verdict .notice-bad")).to_be_visible()
    await expect(page.locator("#verdict")).to_contain_text("cn-outsourcing/hours")
    assert await axe_findings(page) == []
    await page.fill("#ask-at", "2027-06-02T11:30")
    await page.press("#ask-number", "Enter")
    await expect(page.locator("#verdict .notice-good")).to_be_visible()
    await page.fill("#ask-case", "nowhere")
    await page.press("#ask-number", "Enter")
    await expect(page.get_by_role("alert").locator("visible=true").last).to_be_visible()


async def test_who_may_not_change_policies_reads_them(opened: Opened) -> None:
    page = await opened.log_in("reader")
    await expect(page.locator("[data-pack=cn-outsourcing]")).to_be_disabled()
    assert await page.locator("#save").count() == 0
    assert await axe_findings(page) == []


async def test_a_new_client_starts_without_packs(opened: Opened) -> None:
    page = await opened.log_in("boss")
    await page.fill("#client", "new-bank")
    await page.press("#client", "Tab")
    await expect(page.locator("[data-pack=cn-outsourcing]")).not_to_be_checked()
    await page.check("[data-pack=us-reg-f]")
    await page.click("#preview")
    await page.fill("#reason", "signed")
    await page.click("#save")
    await expect(page.locator(".notice-good")).to_contain_text("new-bank")
    assert (await opened.service.get("/v1/policies/new-bank", "root"))["packs"] == ["us-reg-f"]
