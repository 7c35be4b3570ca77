"""The list of cases and one case: what may be called, why not, what happened."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.desk_cases import HOSTILE
from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASE = "HX-2026-000412"


async def test_the_list_is_walked_and_opened_by_keyboard(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await page.keyboard.press("Alt+KeyS")
    await expect(page.get_by_label("Name, case or number")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Eleanor Whitcombe")
    await expect(page.locator("[aria-current=page]")).to_contain_text("Eleanor Whitcombe")
    assert page.url.endswith("/cases/US-77-0031")


async def test_a_search_finds_by_number(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await page.fill("case-list input", "+12125550123")
    await expect(page.locator(".case-row")).to_have_count(1)
    await expect(page.locator(".case-row")).to_contain_text("Eleanor Whitcombe")


async def test_a_search_without_a_match_says_so(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await page.fill("case-list input", "nobody of that name")
    await expect(page.locator(".list-status")).to_have_text("No case matches.")


async def test_going_back_shows_the_case_before_without_loading_the_page(sitting: Sitting) -> None:
    page = await sitting.open_case()
    await page.evaluate("window.loadedOnce = true")
    await page.click('a[href="/cases/US-77-0031"]')
    await expect(page.locator("h1")).to_have_text("Eleanor Whitcombe")
    await page.go_back()
    await expect(page.locator("h1")).to_have_text("王伟")
    assert await page.evaluate("window.loadedOnce")


async def test_a_number_that_may_not_be_called_says_why_and_until_when_here_and_there(sitting: Sitting) -> None:
    page = await sitting.open_case()
    row = page.locator('[data-number="+8618699001234"]')
    await expect(row.locator(".button-call")).to_have_count(0)
    await expect(row.locator(".why-not")).to_contain_text("Work is from 08:00 to 21:00")
    await expect(row.locator(".why-not")).to_contain_text(
        re.compile(r"Until (?:tomorrow )?08:00 \(\w{3} 06:00, Urumqi Time\)\.")
    )


@pytest.mark.parametrize("sitting", [{"locale": "zh-CN"}], indirect=True)
async def test_the_reason_is_in_the_readers_language(sitting: Sitting) -> None:
    page = await sitting.open_case(name="wang.fang")
    row = page.locator('[data-number="+8618699001234"] .why-not')
    await expect(row).to_contain_text("作业时间在8:00—21:00之间")
    await expect(row).to_contain_text(re.compile("(明天 )?08:00 之后可拨打"))


async def test_the_rules_of_a_number_show_the_attempts_used_and_left(sitting: Sitting) -> None:
    page = await sitting.open_case()
    row = page.locator('[data-number="+8613800138000"]')
    await expect(row).to_contain_text("1 of 6 attempts left")
    await row.get_by_role("button", name="Rules").click()
    await expect(row).to_contain_text("At most 3 effective conversations with one debtor a day")
    await expect(row).to_contain_text("Per day: 0 of 3 used, 3 left")


async def test_a_suspension_told_by_the_stream_takes_the_call_button_away(sitting: Sitting) -> None:
    page = await sitting.open_case()
    case: dict[str, Any] = sitting.desk.cases[CASE]
    case["state"] = "suspended"
    for party in case["parties"]:
        for number in party["numbers"]:
            number |= {"allowed_now": False, "rule": "house/suspended", "reason": "The case is suspended."}
    await sitting.desk.push("case.suspended", case_id=CASE)
    await expect(page.locator(".button-call")).to_have_count(0)
    await expect(page.locator(".case-title .tag")).to_have_text("Suspended")


async def test_hostile_names_are_text(sitting: Sitting) -> None:
    page = await sitting.open_case("XSS-1")
    await expect(page.locator("h1")).to_have_text(HOSTILE)
    assert await page.locator("case-view img, case-list img, case-list b, h1 b").count() == 0
    assert await page.title() == "Ringfence"
    assert await page.locator("h1 bdi").get_attribute("dir") == "auto"


async def test_the_time_line_joins_a_call_with_its_note_and_plays_its_recording(sitting: Sitting) -> None:
    call = sitting.desk.add_call(
        case_id=CASE, party_id="p1", number="+8613800138000", state="ended", end_reason="completed", outcome="conversation",
        connected_at="2026-01-05T02:00:10+00:00", ended_at="2026-01-05T02:03:35+00:00",
        recordings=[{"id": "r1", "leg": "customer", "state": "archived"}],
    )  # fmt: skip
    promise = {"on": "2026-02-01", "amount": "600.00", "currency": "CNY"}
    sitting.desk.add_note(
        CASE, call_id=call["id"], action_code="PTP", text="<b>Half</b> now", number=call["number"], relation="debtor",
        details={"promise": promise},
    )  # fmt: skip
    page = await sitting.open_case()
    entry = page.locator(f'[data-call="{call["id"]}"]')
    await expect(page.locator(".entry")).to_have_count(1)
    for words in ("Call completed", "3:25", "Promise to pay", "<b>Half</b> now", "Promised CN¥600.00 by 1 Feb 2026"):
        await expect(entry).to_contain_text(words)
    await entry.get_by_role("button", name="Listen").click()
    await expect(entry.get_by_role("alert")).to_have_text("The recording cannot be played.")  # the stand-in has none


async def test_a_note_is_added_by_hand(sitting: Sitting) -> None:
    page = await sitting.open_case()
    await page.get_by_role("button", name="Add a note").click()
    await page.keyboard.type("New address sent by the client")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".entry")).to_contain_text("New address sent by the client")
    await expect(page.get_by_role("button", name="Add a note")).to_be_focused()


async def test_a_case_that_is_not_mine_says_so(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await page.goto("/cases/somebody-elses")
    await expect(page.locator("case-view [role=alert]")).to_contain_text("not yours to see")
