"""A case on the desk, on the real API: dispositions by code, commitments, shared debts, marks, states; both languages."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from config import clock
from config.journal import Entry
from crm_bridge.cases.number_places import NumberPlaces
from crm_bridge.notes.notes import draft_note
from crm_bridge.people.users import Role
from tests.support import browser as browsers
from tests.support.api import Service
from tests.support.browser import axe_findings
from tests.support.desk import LANDLINE, MOBILE, case, finished_call, party
from tests.support.real_pages import log_in, real_pages

pytestmark = pytest.mark.asyncio(loop_scope="session")
PEOPLE: dict[str, tuple[Role, str]] = {
    "li": ("collector", "en"), "na": ("collector", "zh"), "boss": ("supervisor", "en"), "zhu": ("supervisor", "zh"),
}  # fmt: skip
OWN = {
    "codes": [
        {"code": "K1", "label": {"zh": "承诺还款", "en": "promised"}, "outcome": "conversation",
         "requires": ["promise", "amount", "reaction"]},
        {"code": "K2", "label": {"zh": "去世", "en": "deceased"}, "effects": ["deceased"]},
        {"code": "K3", "label": {"zh": "回电", "en": "call back"}, "outcome": "conversation", "asks": ["call_back"]},
    ],
    "fields": [
        {"name": "reaction", "label": {"zh": "客户反应", "en": "Reaction"}, "kind": "choice", "choices": ["配合", "抗拒"]},
    ],
}  # fmt: skip


@dataclass
class Opened:
    """A browser page, and the service behind it."""

    page: Page
    service: Service

    async def open_case(self, name: str) -> Page:
        """Log in, and open case c1."""
        page = await log_in(self.page, name, "/cases/c1")
        await page.wait_for_selector(".party")
        return page

    async def draft(self, agent: str, **columns: object) -> str:
        """A call of somebody's that ended, whose note is a draft."""
        call_id = await finished_call(self.service.database, clock.now() - timedelta(minutes=5), agent=agent, **columns)
        async with self.service.database.write() as transaction:
            await draft_note(transaction, Entry(clock.now(), "call.ended", call_id=call_id))
        return call_id


@pytest_asyncio.fixture(loop_scope="session")
async def opened(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Opened]:
    """The desk on the real API, with two cases of one person."""
    async with real_pages(tmp_path, PEOPLE) as (service, origin):
        await service.add("root", "admin")
        await service.add("crm", "crm")
        until = (clock.now().astimezone(ZoneInfo("Asia/Shanghai")) + timedelta(days=3)).date().isoformat()
        people = [party(), party("p2", LANDLINE, relation="contact", name="李静")]
        people[1]["numbers"] = [{"e164": "0371-6555 1234 转 802", "kind": "work"}]
        await service.put("/v1/cases/c1", "crm", case(mandate_until=until, parties=people), status=201)
        await service.put("/v1/cases/c2", "crm", case(client="other", debts=["d2"]), status=201)
        async with browsers.reader(chromium, origin, **getattr(request, "param", {})) as page:
            yield Opened(page, service)


BOTH = pytest.mark.parametrize(
    "opened", [{"locale": "en-GB"}, {"locale": "zh-CN", "dark": True}], indirect=True, ids=["en-light", "zh-dark"]
)


@BOTH
async def test_the_form_asks_for_what_the_code_requires(opened: Opened, request: pytest.FixtureRequest) -> None:
    who = "na" if "zh" in request.node.name else "li"
    await opened.service.put("/v1/action-codes/bank", "root", OWN, status=201)
    await opened.draft(who)
    page = await opened.open_case(who)
    await page.click("[data-focus^=complete-]")
    await page.select_option("[name=action_code]", "K1")
    await expect(page.locator("[name=promised]")).to_be_checked()
    await expect(page.locator("[name=promised]")).to_be_disabled()
    await page.fill("[name=note]", "周五还款")
    await page.click(".disposition [type=submit]")
    await expect(page.locator("[data-field='fields.reaction'] .field-error")).not_to_be_empty()
    assert await axe_findings(page) == []
    await page.fill("[name=amount]", "1250.00")
    await page.fill("[name=due_on]", "2027-01-15")
    await page.select_option("[name='own.reaction']", "配合")
    await page.click(".disposition [type=submit]")
    await expect(page.locator("[data-commitment=promise]")).to_be_visible()
    assert await axe_findings(page) == []
    (one,) = (await opened.service.get("/v1/commitments", "root"))["items"]
    assert one["promise"] == {"on": "2027-01-15", "amount": "1250.00", "currency": None}
    await page.click("[data-focus^=kept-]")
    await expect(page.locator("[data-commitment]")).to_have_count(0)


async def test_what_a_code_does_is_said_before_and_typed_words_survive_another_code(opened: Opened) -> None:
    await opened.service.put("/v1/action-codes/bank", "root", OWN, status=201)
    await opened.draft("li")
    page = await opened.open_case("li")
    await page.click("[data-focus^=complete-]")
    await page.select_option("[name=action_code]", "K1")
    await page.fill("[name=amount]", "5")
    await page.fill("[name=note]", "his wife says so")
    await page.select_option("[name=action_code]", "K2")
    await expect(page.locator(".consequences")).to_contain_text("deceased")
    await page.select_option("[name=action_code]", "K1")
    assert await page.input_value("[name=amount]") == "5"
    await page.reload()
    await page.click("[data-focus^=complete-]")
    assert await page.input_value("[name=note]") == "his wife says so"
    await page.select_option("[name=action_code]", "K2")
    await page.click(".disposition [type=submit]")
    await expect(page.locator("call-bar .notice-good")).to_be_visible()
    shown = await opened.service.get("/v1/cases/c1", "root")
    assert shown["parties"][0]["deceased"] is True


async def test_call_me_at_is_an_agreement_and_a_call_back(opened: Opened) -> None:
    await opened.service.put("/v1/action-codes/bank", "root", OWN, status=201)
    await opened.draft("li")
    page = await opened.open_case("li")
    await page.click("[data-focus^=complete-]")
    await page.select_option("[name=action_code]", "K3")
    await page.fill("[name=note]", "asked for ten at night")
    await page.fill("[name=back_at]", "2027-01-15T22:00")
    await page.check("[name=back_agreed]")
    await page.click(".disposition [type=submit]")
    await expect(page.locator("[data-commitment=call_back]")).to_contain_text("22:00")
    shown = await opened.service.get("/v1/cases/c1", "root")
    assert shown["parties"][0]["agreements"][0]["from"] == "2027-01-15T13:45:00Z"


@BOTH
async def test_a_supervisor_sees_what_the_case_waits_for_and_changes_its_state(
    opened: Opened, request: pytest.FixtureRequest
) -> None:
    await NumberPlaces(opened.service.database).tick(clock.now())
    page = await opened.open_case("zhu" if "zh" in request.node.name else "boss")
    await expect(page.locator("case-follow [data-return='3']")).to_be_visible()
    await expect(page.locator(f"[data-number='{LANDLINE}'] .place")).to_contain_text(
        "郑州" if "zh" in request.node.name else "Zhengzhou"
    )
    await expect(page.locator("[data-extension='802']")).to_be_visible()
    await page.click(".related summary")
    await expect(page.locator(".related")).to_contain_text("c2")
    assert await axe_findings(page) == []
    await page.click("[data-focus=state-suspend]")
    await page.fill("[name=state-reason]", "asked by the client")
    assert await axe_findings(page) == []
    await page.press("[name=state-reason]", "Enter")
    await expect(page.locator(".case-title [data-state=suspended]")).to_be_visible()
    (entry,) = [one for one in await opened.service.journal("case.state")]
    assert entry.data["reason"] == "asked by the client"
    await page.click("[data-focus=related-c2]")
    await expect(page).to_have_url("/cases/c2")


async def test_a_number_is_marked_with_a_reason_and_by_keyboard(opened: Opened) -> None:
    page = await opened.open_case("boss")
    await page.focus(f"[data-focus='mark p1 {MOBILE}']")
    await page.keyboard.press("Enter")
    await page.keyboard.press("w")
    await page.keyboard.press("Tab")
    await page.keyboard.type("his brother answered")
    await page.keyboard.press("Enter")
    row = page.locator(f"[data-number='{MOBILE}']")
    await expect(row.locator("[data-mark=wrong_person]")).to_be_visible()
    await expect(row).to_have_attribute("data-allowed", "false")
    assert await axe_findings(page) == []


async def test_the_list_says_which_cases_go_back_soon(opened: Opened) -> None:
    page = await opened.open_case("boss")
    await expect(page.locator("case-list [data-return='3']")).to_have_count(1)
