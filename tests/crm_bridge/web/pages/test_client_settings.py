"""The clients' settings in Chromium on the real service: by keyboard, each change shown first and saved with a reason."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from config import clock
from crm_bridge.cases import cases
from crm_bridge.cases.documents import CaseIn
from crm_bridge.people.users import User
from tests.support import browser as browsers
from tests.support.api import Service
from tests.support.browser import axe_findings
from tests.support.desk import case
from tests.support.real_pages import log_in, real_pages

pytestmark = pytest.mark.asyncio(loop_scope="session")
TABS = ("codes", "columns", "ladders", "rules", "calendar", "forms", "mailings")
HOSTILE = "<img src=x onerror=alert(1)>\u202e"


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Service, str]]:
    people = {"root": ("admin", "en"), "han": ("supervisor", "zh"), "li": ("collector", "zh")}
    async with real_pages(tmp_path, people) as (service, origin):  # type: ignore[arg-type]  # literals of a role
        async with service.database.write() as transaction:
            boss = User("boss", "supervisor")
            given = CaseIn.model_validate(case(collector="li"))
            await cases.upsert(transaction, "c1", given, user=boss, region="CN", now=clock.now())
        yield service, origin


async def _enter(page: Page, name: str, query: str) -> None:
    await log_in(page, name, f"/admin/clients?{query.replace('&', '%26')}")
    await expect(page.locator("setting-sheet section").first).to_be_visible()


async def _save(page: Page, reason: str) -> None:
    await page.fill("#set-reason", reason)
    await page.locator("[data-focus=save]").press("Enter")
    await expect(page.locator(".set-said .notice-good")).to_be_visible()


async def test_an_action_code_is_given_to_a_client_by_keyboard_with_its_required_fields(
    chromium: Browser, desk: tuple[Service, str]
) -> None:
    service, origin = desk
    async with browsers.reader(chromium, origin) as page:
        await _enter(page, "root", "tab=codes&client=bank")
        await expect(page.locator(".set-row")).to_have_count(20)
        await page.locator("[data-focus='codes.0.open']").press("Enter")
        await page.locator("[data-focus='codes.0.requires.promise']").press("Space")
        await page.locator("[data-focus='codes.0.requires.amount']").press("Space")
        change = page.locator(".set-diff tbody tr")
        await expect(change).to_have_count(1)
        await expect(change).to_contain_text("Promise to pay, Amount")
        await page.locator("[data-focus=save]").press("Enter")  # without a reason nothing is saved
        await expect(page.locator("#set-reason")).to_be_focused()
        assert await service.journal("action_codes.changed") == []
        await page.locator("[data-focus='codes.19.out']").press("Enter")
        await expect(page.locator(".set-row")).to_have_count(19)
        await page.locator("[data-focus='codes.add']").press("Enter")
        await page.locator("[data-focus='codes.19.code']").fill("XJ")
        await page.locator("[data-focus='codes.19.label.zh']").fill("小结")
        await page.locator("[data-focus='codes.19.label.en']").fill(HOSTILE)
        await expect(change).to_have_count(3)
        await _save(page, "the bank's manual of June")
        await expect(page.locator("[data-focus='codes.19.open']")).to_contain_text(HOSTILE)
        await page.locator("[data-focus=drop]").press("Enter")  # nor are the shared ones taken again without one
        await expect(page.locator("#set-reason")).to_be_focused()
    (entry,) = await service.journal("action_codes.changed")
    assert (entry.actor, entry.client, entry.data["reason"]) == ("root", "bank", "the bank's manual of June")
    assert entry.data["before"]["codes"][0]["requires"] == []
    assert entry.data["after"]["codes"][0]["requires"] == ["promise", "amount"]


async def test_a_ladder_says_when_its_steps_would_be_due_and_keeps_what_it_was(
    chromium: Browser, desk: tuple[Service, str]
) -> None:
    service, origin = desk
    async with browsers.reader(chromium, origin) as page:
        await _enter(page, "root", "tab=ladders&of=serious&client=bank")
        await page.locator("[data-focus='steps.1.open']").press("Enter")
        await page.locator("[data-focus='steps.1.within']").fill("60")
        await page.locator("[data-focus=repeat_minutes]").fill("30")
        await page.locator("[data-focus=preview]").press("Enter")
        await expect(page.locator(".set-found li")).to_have_count(5)
        assert await axe_findings(page) == []
        await _save(page, "asked for in the contract")
        await page.locator("[data-focus='steps.1.open']").press("Enter")
        await page.locator("[data-focus='steps.1.within']").fill("0")
        await page.fill("#set-reason", "wrong")
        await page.locator("[data-focus=save]").press("Enter")  # the browser says what is wrong
        await expect(page.locator(".set-said .notice-good")).to_have_count(0)
    (entry,) = await service.journal("complaint.ladder_changed")
    assert (entry.client, entry.data["severity"], entry.data["reason"]) == (
        "bank",
        "serious",
        "asked for in the contract",
    )
    assert [data["steps"][1]["within"] for data in (entry.data["before"], entry.data["after"])] == [120, 60]


async def test_a_make_up_workday_is_entered_and_taken_out_and_the_end_of_the_calendar_is_told(
    chromium: Browser, desk: tuple[Service, str]
) -> None:
    service, origin = desk
    async with browsers.reader(chromium, origin) as page:
        await _enter(page, "root", "tab=calendar")
        await expect(page.locator(".set-note .notice")).to_be_visible()
        await page.fill("#days-year", "2031")
        await page.locator("#days-year").press("Enter")
        await expect(page.locator("calendar-days .notice-warn")).to_contain_text("2031 are not published")
        await page.fill("#day-day", "2031-02-01")
        await page.fill("#day-name", HOSTILE)
        await page.fill("#day-reason", "announced")
        await page.locator("#day-reason").press("Enter")
        row = page.locator("[data-day='2031-02-01']")
        await expect(row).to_contain_text("entered")
        await expect(row).to_contain_text(HOSTILE)
        assert await axe_findings(page) == []
        await page.locator("[data-focus='out-2031-02-01']").press("Enter")
        await page.fill("#days-out", "a mistake")
        await page.locator("#days-out").press("Enter")
        await expect(row).to_have_count(0)
    entries = await service.journal("calendar.changed")
    assert [(entry.data["working"], entry.data["reason"]) for entry in entries] == [
        (True, "announced"),
        (None, "a mistake"),
    ]


async def test_a_rule_a_template_a_form_and_a_mailing_are_changed(chromium: Browser, desk: tuple[Service, str]) -> None:
    service, origin = desk
    async with browsers.reader(chromium, origin) as page:
        await _enter(page, "root", "tab=rules&of=note")
        await page.locator("[data-focus=warn_minutes]").fill("120")
        await page.locator("[data-focus=mail]").press("Space")
        await _save(page, "earlier")
        await page.locator("[data-focus=tab-forms]").press("Enter")
        await page.locator("[data-focus='questions.3.open']").press("Enter")
        await page.locator("[data-focus='questions.3.weight']").fill("2.5")
        await _save(page, "matters more")
        await page.goto("/admin/clients?tab=columns&client=bank")
        await page.locator("[data-focus='columns.0.down']").press("Enter")
        await page.locator("[data-focus='columns.1.open']").press("Enter")
        await page.locator("[data-focus='columns.1.title']").fill("=案件号")
        await _save(page, "their sheet")
        await page.goto("/admin/clients?tab=mailings&client=bank")
        await page.locator("[data-focus=people]").fill("han, nobody")
        await page.fill("#set-reason", "agreed")
        await page.locator("[data-focus=save]").press("Enter")
        await expect(page.get_by_role("alert").last).to_contain_text("there is no active user nobody")
        await page.locator("[data-focus=people]").fill("han")
        await _save(page, "agreed")
    kinds = ("deadline.rule_changed", "qa.form_changed", "note_template.changed", "report.mailing_changed")
    entries = await service.journal(*kinds)
    assert [entry.kind for entry in entries] == list(kinds)
    assert [entry.data["reason"] for entry in entries] == ["earlier", "matters more", "their sheet", "agreed"]
    assert entries[2].data["after"]["columns"][1] == {"field": "case_id", "title": "=案件号"}


@pytest.mark.parametrize("dark", [False, True])
async def test_every_tab_fits_and_is_accessible_in_both_languages(
    chromium: Browser, desk: tuple[Service, str], dark: bool
) -> None:
    _, origin = desk
    async with browsers.reader(chromium, origin, dark=dark, locale="zh-CN" if dark else "en-GB") as page:
        await _enter(page, "han" if dark else "root", "client=bank")
        await page.locator("#set-tab").focus()
        for tab in TABS:
            await expect(page.locator(f"[data-tab={tab}]")).to_have_attribute("aria-selected", "true")
            await expect(page.locator("client-settings")).not_to_have_attribute("aria-busy", "true")
            opener = page.locator(".set-title").first
            if await opener.count():
                await opener.press("Enter")
            assert await axe_findings(page) == [], tab
            wide = await page.evaluate(
                "document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth"
            )
            assert wide <= 0, tab
            # Only the content scrolls: the page around it has nothing below its end.
            assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight"), tab
            await page.locator("#set-tab").press("ArrowRight")


async def test_what_is_not_saved_is_not_left_without_a_word_and_who_may_not_change_only_looks(
    chromium: Browser, desk: tuple[Service, str]
) -> None:
    service, origin = desk
    async with browsers.reader(chromium, origin) as page:
        await _enter(page, "root", "tab=rules&of=note")
        await page.locator("[data-focus=warn_minutes]").fill("77")
        page.once("dialog", lambda dialog: dialog.dismiss())
        await page.locator("[data-focus=tab-forms]").click()
        await expect(page.locator("[data-focus=warn_minutes]")).to_have_value("77")
        await page.locator("[data-focus=undo]").press("Enter")
        await expect(page.locator("[data-focus=warn_minutes]")).to_have_value("360")
    async with browsers.reader(chromium, origin, locale="zh-CN") as page:
        await _enter(page, "han", "tab=ladders")
        await expect(page.locator("setting-sheet")).to_contain_text("修改需管理员")
        await expect(page.locator("[data-focus=save]")).to_have_count(0)
        await expect(page.locator("[data-focus=repeat_minutes]")).to_be_disabled()
    assert await service.journal("deadline.rule_changed") == []
