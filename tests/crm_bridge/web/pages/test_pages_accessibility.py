"""axe-core on every page and state, in both languages and colour schemes; no text left untranslated."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import axe_findings
from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASE, NUMBER = "HX-2026-000412", "+8613800138000"
ENGLISH = {"locale": "en-GB"}
CHINESE = {"locale": "zh-CN", "dark": True}
BOTH = pytest.mark.parametrize("sitting", [ENGLISH, CHINESE], indirect=True, ids=["en-light", "zh-dark"])

# Latin words without a Chinese character beside them, outside what is marked as data (translate=no).
UNTRANSLATED = """() => {
  const left = [];
  const look = (text) => /[A-Za-z]{2}/.test(text) && !/[\\u4e00-\\u9fff]/.test(text) && left.push(text.trim());
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const holder = walker.currentNode.parentElement;
    if (!holder.closest('[translate=no], script, style, noscript')) look(walker.currentNode.data);
  }
  for (const element of document.querySelectorAll('[aria-label], [placeholder], [title]'))
    for (const name of ['aria-label', 'placeholder', 'title']) look(element.getAttribute(name) ?? '');
  return left;
}"""


async def _check(page: Page) -> None:
    assert await axe_findings(page) == []
    if await page.locator("html").get_attribute("data-language") == "zh":
        assert await page.evaluate(UNTRANSLATED) == []


def _user(request: Any) -> str:
    return "wang.fang" if request.node.callspec.params["sitting"] == CHINESE else "li.na"


@BOTH
async def test_the_login_page(sitting: Sitting) -> None:
    await sitting.page.goto("/login")
    await _check(sitting.page)
    await sitting.page.click("[type=submit]")
    await expect(sitting.page.locator("#login-error")).to_be_visible()
    await _check(sitting.page)


@BOTH
async def test_the_desk_without_a_case_and_with_each(sitting: Sitting, request: pytest.FixtureRequest) -> None:
    page = await sitting.log_in(_user(request))
    await _check(page)
    for case_id in sitting.desk.cases:
        await page.click(f'a[href="/cases/{case_id}"]')
        await expect(page.locator(".case-facts")).to_contain_text(case_id)
        for button in await page.locator(".number-row .link").all():
            await button.click()
        await _check(page)


@BOTH
async def test_every_state_of_a_call(sitting: Sitting, request: pytest.FixtureRequest) -> None:
    page = await sitting.open_case(CASE, _user(request))
    call: dict[str, Any] = await sitting.call()
    await _check(page)
    for state, columns in (
        ("calling_customer", {}),
        ("calling_customer", {"alerted_at": call["created_at"]}),
        ("connected", {}),
        ("held", {}),
        ("unknown", {}),
        ("ended", {"end_reason": "completed", "outcome": "conversation", "violations": ["straddled"]}),
    ):
        await sitting.desk.move(call, state, **columns)
        await expect(page.locator("call-bar")).to_have_attribute("data-state", state)
        await _check(page)
    await page.check("[name=promised]")
    await page.click(".disposition [type=submit]")
    await _check(page)


ENDINGS = (
    "no_answer", "busy", "rejected", "canceled", "failed", "agent_no_answer", "agent_busy", "denied_at_dial", "lost",
)  # fmt: skip


@BOTH
async def test_every_ending_and_the_time_line_of_them(sitting: Sitting, request: pytest.FixtureRequest) -> None:
    user = _user(request)
    for reason in ENDINGS:
        call = sitting.desk.add_call(
            case_id=CASE, party_id="p1", number=NUMBER, agent=user, state="ended", end_reason=reason,
            outcome="not_placed" if "agent" in reason else reason, ended_at="2026-01-05T02:00:45+00:00",
            recordings=[{"id": reason, "leg": "agent", "state": "archived"}],
        )  # fmt: skip
        sitting.desk.add_note(CASE, call_id=call["id"], state="draft", author=user, number=NUMBER, relation="debtor")
    page = await sitting.open_case(CASE, user)
    await expect(page.locator(".entry")).to_have_count(len(ENDINGS))
    await _check(page)
    await page.get_by_role("button", name="完成备注" if user == "wang.fang" else "Complete the note").first.click()
    await _check(page)


@BOTH
async def test_banners_refusals_and_the_list_of_shortcuts(sitting: Sitting, request: pytest.FixtureRequest) -> None:
    page = await sitting.open_case(CASE, _user(request))
    denial = {"code": "policy-denied", "detail": "no", "rule": "cn-outsourcing/hours"}
    sitting.desk.refusal = 403, {**denial, "retry_at": "2027-01-05T00:00:00+00:00"}
    await page.click(f'[data-number="{NUMBER}"] .button-call')
    await expect(page.locator(".call-notice .notice")).to_be_visible()
    sitting.desk.problems = {"pbx:main": "down", "spool:main": "full"}
    await sitting.desk.push("pbx.state")
    await expect(page.locator("[data-banner=pbx]")).to_be_visible()
    sitting.desk.break_streams(stay_down=True)
    await expect(page.locator("[data-banner=stream]")).to_be_visible()
    await _check(page)
    await page.keyboard.press("Alt+KeyK")
    await _check(page)


@BOTH
async def test_the_desk_of_a_role_without_a_phone(sitting: Sitting) -> None:
    page = await sitting.open_case(name="chen.qa")
    assert await axe_findings(page) == []


async def test_the_language_changes_in_place_while_a_call_lives(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected")
    await page.fill("[name=note]", "half a sentence")
    await page.evaluate("window.loadedOnce = true")
    await page.click("[data-choose-language=zh]")
    await expect(page.locator(".call-state")).to_contain_text("通话中")
    await expect(page.locator(".case-title .tag")).to_have_text("进行中")
    await expect(page.locator("[name=note]")).to_have_value("half a sentence")
    assert await page.evaluate("window.loadedOnce")
    assert sitting.desk.users["li.na"].language == "zh"
    await _check(page)


async def test_nothing_is_cut_off_at_1280_by_720(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected")
    overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow == 0
    await expect(page.locator(".button-hangup")).to_be_in_viewport()
