"""Who answered, what is hidden until then, what is masked, and what the collector is doing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.browser import axe_findings
from tests.support.desk_people_api import IDENTITY
from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASE = "HX-2026-000412"
NUMBER = "+8613800138000"


def lock(sitting: Sitting) -> dict[str, Any]:
    """As the service shows the case to a collector: locked, with a masked identity number."""
    case: dict[str, Any] = sitting.desk.cases[CASE]
    case["disclosure"] = {"locked": True, "hidden": ["debts", "account", "amounts", "identity"]}
    case["parties"][0]["identity"] = "3101**********1234"
    return case


async def connected(sitting: Sitting) -> dict[str, Any]:
    call = await sitting.call()
    for state in ("calling_customer", "connected"):
        await sitting.desk.move(call, state)
    await expect(sitting.page.locator("right-party")).to_be_visible()
    return call


async def test_the_details_are_hidden_until_the_debtor_is_confirmed(sitting: Sitting) -> None:
    lock(sitting)
    page = await sitting.open_case()
    await expect(page.locator("[data-locked]")).to_contain_text("Account and debts (2) are hidden")
    await expect(page.locator(".case-facts")).not_to_contain_text("6225")
    call = await connected(sitting)
    await expect(page.locator("right-party h2")).to_have_text("Who answered?")
    assert await axe_findings(page) == []
    await page.get_by_role("button", name="王伟 (Debtor)").click()
    await expect(page.locator("right-party .notice-good")).to_contain_text("王伟 is confirmed")
    await expect(page.locator("[data-locked]")).to_have_count(0)
    await expect(page.locator(".case-facts")).to_contain_text("6225 **** 1877")
    assert sitting.desk.people.answers[call["id"]]["party_id"] == "p1"


async def test_somebody_else_leads_to_the_script_and_to_what_follows(sitting: Sitting) -> None:
    lock(sitting)
    page = await sitting.open_case()
    call = await connected(sitting)
    await page.get_by_role("button", name="Somebody else").click()
    await expect(page.locator(".script")).to_contain_text("May I speak to 王伟?")
    await expect(page.locator(".script")).to_contain_text("my name is li.na")
    await expect(page.locator("[data-locked]")).to_have_count(1)
    assert await axe_findings(page) == []
    await page.get_by_label("Who is it?").select_option("spouse")
    await page.get_by_role("button", name="Wrong number").click()
    await expect(page.locator("right-party")).to_contain_text("it is not called again")
    said = sitting.desk.people.answers[call["id"]]
    assert (said["wrong_number"], said["relation"]) == (True, "spouse")
    await page.get_by_role("button", name="Change the answer").click()
    await expect(page.locator("right-party h2")).to_have_text("Who answered?")


@pytest.mark.parametrize("sitting", [{"locale": "zh-CN", "dark": True}], indirect=True)
async def test_the_script_is_in_the_readers_language(sitting: Sitting) -> None:
    lock(sitting)
    page = await sitting.open_case(name="wang.fang")
    await expect(page.locator("[data-locked]")).to_contain_text("账户与债务（2 笔）已隐藏")
    await connected(sitting)
    await page.get_by_role("button", name="其他人").click()
    await expect(page.locator(".script")).to_contain_text("请问王伟在吗")
    assert await axe_findings(page) == []
    await page.get_by_role("button", name="更改选择").click()
    await page.get_by_role("button", name="王伟（债务人）").click()
    await expect(page.locator("right-party .notice-good")).to_be_visible()
    assert await axe_findings(page) == []


async def test_a_contact_who_refuses_is_noted(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = sitting.desk.add_call(case_id=CASE, party_id="p3", number="+8613700003333")
    sitting.desk.people.answers[call["id"]] = {"answer": "third_party", "party_id": "p3", "relation": "contact"}
    for state in ("calling_agent", "calling_customer", "connected"):
        await sitting.desk.move(call, state)
    await page.get_by_role("button", name="Wants no more calls").click()
    await expect(page.locator("right-party")).to_contain_text("The refusal is noted")
    assert sitting.desk.people.answers[call["id"]]["refused"] is True


async def test_the_question_is_not_asked_before_somebody_answers(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await sitting.desk.move(call, "calling_customer")
    await expect(page.locator("call-bar[data-state=calling_customer]")).to_be_visible()
    await expect(page.locator("right-party")).to_be_hidden()


async def test_a_masked_item_is_shown_for_a_reason_and_hidden_again(sitting: Sitting) -> None:
    lock(sitting)
    page = await sitting.open_case()
    line = page.locator(".party-identity").first
    await expect(line).to_contain_text("3101**********1234")
    await line.get_by_role("button", name="Show the identity number of 王伟").click()
    await expect(line.get_by_label("Why it is needed")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(line.get_by_role("button")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.type("asked for the last digits")
    assert await axe_findings(page) == []
    await page.keyboard.press("Enter")
    await expect(line.locator(".revealed")).to_have_text(IDENTITY)
    await expect(line).to_contain_text("hidden in")
    await line.get_by_role("button", name="Hide").click()
    await expect(line).not_to_contain_text(IDENTITY)
    assert [one["reason"] for one in sitting.desk.people.reveals] == ["asked for the last digits"]


async def test_a_masked_number_is_called_as_it_is_shown(sitting: Sitting) -> None:
    masked = "+86138****8000"
    sitting.desk.cases[CASE]["parties"][0]["numbers"][0]["e164"] = masked
    page = await sitting.open_case()
    await expect(page.locator(f'[data-number="{masked}"]')).to_contain_text(masked)
    await sitting.call(masked)
    assert sitting.desk.placed[0][1] == {"case_id": CASE, "party_id": "p1", "number": masked}


async def test_the_state_is_switched_by_keyboard_with_a_reason(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await expect(page.locator(".agent-words")).to_have_text("Ready")
    await page.keyboard.press("Alt+KeyR")
    await expect(page.locator(".agent-words")).to_have_text("Away")
    await page.get_by_label("Why I am away").select_option("lunch")
    await expect(page.locator(".agent-words")).to_have_text("Away · Lunch")
    assert sitting.desk.people.states["li.na"]["reason"] == "lunch"
    assert await axe_findings(page) == []
    await page.keyboard.press("Alt+KeyR")
    await expect(page.locator(".agent-words")).to_have_text("Ready")


async def test_the_wrap_up_counts_down_in_words_and_can_be_ended(sitting: Sitting) -> None:
    page = await sitting.log_in()
    due = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    sitting.desk.people.state("li.na").update({"state": "wrap_up", "due_at": due})
    await sitting.desk.push("agent.state", agent="li.na")
    await expect(page.locator(".agent-words")).to_have_text("Wrap-up")
    await expect(page.locator(".agent-time")).to_contain_text("left")
    assert await axe_findings(page) == []
    await page.get_by_role("button", name="Ready now").click()
    await expect(page.locator(".agent-words")).to_have_text("Ready")


async def test_during_a_call_the_switch_says_what_follows(sitting: Sitting) -> None:
    page = await sitting.log_in()
    sitting.desk.people.state("li.na").update({"state": "busy", "call": {"id": "c" * 32}})
    await sitting.desk.push("agent.state", agent="li.na")
    await expect(page.locator(".agent-words")).to_have_text("On a call")
    await page.get_by_role("button", name="Then away").click()
    await expect(page.locator(".agent-words")).to_have_text("On a call · then Away")


async def test_who_does_not_call_has_no_state(sitting: Sitting) -> None:
    page = await sitting.log_in("chen.qa")
    await expect(page.locator("agent-state")).to_be_hidden()
