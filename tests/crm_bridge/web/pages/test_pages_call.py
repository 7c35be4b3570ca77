"""A call from the page: one request a click, its states, hang up, what came of it."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASE, NUMBER = "HX-2026-000412", "+8613800138000"


async def test_a_call_is_made_and_written_up_by_keyboard_alone(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await page.keyboard.press("Alt+KeyS")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".party")
    await page.keyboard.press("Alt+KeyC")
    await expect(page.get_by_role("button", name="Call 王伟, +86 138 0013 8000")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_selector("call-bar[data-state=calling_agent]")
    call = list(sitting.desk.calls.values())[-1]
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected")
    await expect(page.locator("call-bar [role=status]")).to_have_text("Connected")
    await page.keyboard.press("Alt+KeyN")
    await expect(page.locator("[name=action_code] option")).to_have_count(4)
    await page.keyboard.press("P")  # the action code that begins with it
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Pays on Friday")
    await page.keyboard.press("Alt+KeyH")
    await expect(page.locator(".button-hangup")).to_contain_text("Hanging up")
    await sitting.desk.move(call, "ended", end_reason="completed", outcome="conversation")
    await expect(page.locator(".call-state")).to_contain_text("Call completed")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".notice-good")).to_have_text("Saved.")
    assert sitting.desk.hung_up == [call["id"]]
    assert sitting.desk.dispositions == [(call["id"], {"action_code": "PTP", "note": "Pays on Friday"})]


async def test_both_legs_are_shown_as_they_progress(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    agent, customer = page.locator("[data-leg=agent]"), page.locator("[data-leg=customer]")
    await expect(agent).to_have_attribute("data-state", "ringing")
    await expect(customer).to_have_attribute("data-state", "waiting")
    await sitting.desk.move(call, "calling_customer")
    await expect(agent).to_have_attribute("data-state", "answered")
    await expect(customer).to_have_attribute("data-state", "dialling")
    await sitting.desk.move(call, "calling_customer", alerted_at=call["calling_customer_at"])
    await expect(customer).to_have_attribute("data-state", "ringing")
    await sitting.desk.move(call, "connected")
    await expect(customer).to_have_attribute("data-state", "talking")
    await expect(page.locator(".timer")).to_have_text("0:01")
    await sitting.desk.move(call, "ended", end_reason="busy", outcome="busy", connected_at=None)
    await expect(page.locator(".call-state")).to_contain_text("Busy")


async def test_a_double_click_sends_one_request(sitting: Sitting) -> None:
    page = await sitting.open_case()
    sitting.desk.hold_answer = asyncio.Event()
    await page.dblclick(f'[data-number="{NUMBER}"] .button-call')
    await page.evaluate(f"""document.querySelector('[data-number="{NUMBER}"] .button-call').click()""")
    await expect(page.locator(f'[data-number="{NUMBER}"] .button-call')).to_have_attribute("aria-disabled", "true")
    sitting.desk.hold_answer.set()
    await page.wait_for_selector("call-bar[data-state=calling_agent]")
    assert len(sitting.desk.placed) == 1


async def test_while_a_call_lives_no_other_can_be_placed(sitting: Sitting) -> None:
    page = await sitting.open_case()
    await sitting.call()
    await page.click('[data-number="+8613911112222"] .button-call', force=True)
    await page.click('a[href="/cases/XSS-1"]')
    await expect(page.locator('[data-number="+8613500005555"] .button-call')).to_have_attribute("aria-disabled", "true")
    assert len(sitting.desk.placed) == 1


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(sitting: Sitting) -> None:
    await sitting.open_case()
    sitting.desk.lose_answers = 2
    await sitting.call()
    assert len(sitting.desk.placed) == 3
    assert len({key for key, _ in sitting.desk.placed}) == 1
    assert len(sitting.desk.calls) == 1


async def test_an_answer_that_never_comes_can_be_asked_for_later_with_the_same_key(sitting: Sitting) -> None:
    page = await sitting.open_case()
    sitting.desk.deaf = True
    await page.click(f'[data-number="{NUMBER}"] .button-call')
    again = page.get_by_role("button", name="Ask again")
    await expect(again).to_be_visible(timeout=15_000)
    sitting.desk.deaf = False
    await again.click()
    await page.wait_for_selector("call-bar[data-state=calling_agent]")
    assert len({key for key, _ in sitting.desk.placed}) == 1


async def test_each_click_has_a_key_of_its_own(sitting: Sitting) -> None:
    await sitting.open_case()
    for _ in range(2):
        call = await sitting.call()
        await sitting.desk.move(call, "ended", end_reason="no_answer", outcome="no_answer")
        await sitting.page.wait_for_selector("call-bar[data-state=ended]")
    assert len({key for key, _ in sitting.desk.placed}) == 2


async def test_a_refused_click_says_why_and_until_when(sitting: Sitting) -> None:
    page = await sitting.open_case()
    sitting.desk.refusal = 403, {
        "code": "policy-denied", "detail": "no", "rule": "house/complaint-open", "reason": "A complaint is open.", "retry_at": None,
    }  # fmt: skip
    await page.click(f'[data-number="{NUMBER}"] .button-call')
    notice = page.locator(".call-notice")
    await expect(notice).to_contain_text("Not called: 王伟")
    await expect(notice).to_contain_text("A complaint is open on this case: calling is suspended.")


async def test_an_unreachable_pbx_says_that_nothing_was_dialled(sitting: Sitting) -> None:
    page = await sitting.open_case()
    sitting.desk.refusal = 503, {"code": "pbx-unavailable", "detail": "the link is down"}
    await page.click(f'[data-number="{NUMBER}"] .button-call')
    await expect(page.locator(".call-notice")).to_contain_text("Nothing was dialled.")
    assert len(sitting.desk.placed) == 1


async def test_a_refusal_at_the_gate_is_told_after_the_end(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    denial = {"rule": "house/cease", "reason": "stop", "reason_zh": "停", "retry_at": None}
    await sitting.desk.move(call, "ended", end_reason="denied_at_dial", outcome="not_placed", denial=denial)
    await expect(page.locator(".call-state")).to_contain_text("Stopped before dialling the customer")
    await expect(page.locator(".call-card .notice-bad")).to_contain_text(
        "The party asked in writing that contact cease."
    )


async def test_a_reload_in_the_middle_of_a_call_shows_the_truth(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected")
    await page.fill("[name=note]", "typed before the reload")
    await page.reload()
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "connected")
    await expect(page.locator(".call-who")).to_have_text("王伟")
    await expect(page.locator("[name=note]")).to_have_value("typed before the reload")
    await expect(page.locator(f'[data-number="{NUMBER}"] .button-call')).to_have_attribute("aria-disabled", "true")


async def test_a_call_placed_in_another_tab_is_shown_here(sitting: Sitting) -> None:
    page = await sitting.log_in()
    call = sitting.desk.add_call(case_id=CASE, party_id="p1", number=NUMBER)
    await sitting.desk.move(call, "calling_agent")
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "calling_agent")
    await expect(page.locator(".call-who")).to_have_text("王伟")


async def test_late_news_of_an_earlier_state_changes_nothing(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    early: dict[str, Any] = dict(call)
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected")
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "connected")
    await sitting.desk.push("call.state", call_id=call["id"], agent="li.na", data={"call": early})
    await sitting.desk.push("pbx.state")
    await sitting.desk.move(call, "held")
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "held")
    await sitting.desk.push("call.state", call_id=call["id"], agent="li.na", data={"call": early})
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "held")


async def test_the_case_can_be_changed_while_the_call_goes_on(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await page.click('a[href="/cases/US-77-0031"]')
    await expect(page.locator("h1")).to_have_text("Eleanor Whitcombe")
    await expect(page.locator(".call-who")).to_have_text("王伟")
    await sitting.desk.move(call, "calling_customer")
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "calling_customer")


async def test_a_disposition_without_what_it_needs_says_what_is_missing(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await sitting.desk.move(call, "ended", end_reason="no_answer", outcome="no_answer")
    await page.check("[name=promised]")
    await page.click(".disposition [type=submit]")
    for words in ("Choose an action code.", "Write what was said.", "Enter an amount", "Choose a day."):
        await expect(page.locator(".disposition")).to_contain_text(words)
    await expect(page.locator("[name=action_code]")).to_be_focused()
    assert sitting.desk.dispositions == []


async def test_a_promise_is_sent_with_its_day_and_amount(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected")
    await sitting.desk.move(call, "ended", end_reason="completed", outcome="conversation")
    await page.select_option("[name=action_code]", "PTP")
    await page.select_option("[name=outcome]", "voicemail")
    await page.fill("[name=note]", "Pays")
    await page.check("[name=promised]")
    await page.fill("[name=amount]", "6000,50")
    await page.fill("[name=due_on]", "2026-12-05")
    await page.click(".disposition [type=submit]")
    await page.wait_for_selector(".notice-good")
    assert sitting.desk.dispositions[0][1] == {
        "action_code": "PTP", "note": "Pays", "outcome": "voicemail", "promise": {"on": "2026-12-05", "amount": "6000.50"},
    }  # fmt: skip


async def test_a_draft_left_behind_is_completed_from_the_time_line(sitting: Sitting) -> None:
    call = sitting.desk.add_call(
        case_id=CASE, party_id="p1", number=NUMBER, state="ended", end_reason="no_answer", outcome="no_answer",
        ended_at="2026-01-05T02:00:45+00:00",
    )  # fmt: skip
    sitting.desk.add_note(CASE, call_id=call["id"], state="draft", number=NUMBER, relation="debtor")
    page = await sitting.open_case()
    await page.get_by_role("button", name="Complete the note").click()
    await expect(page.locator(".call-who")).to_have_text("王伟")
    await page.select_option("[name=action_code]", "NOA")
    await page.fill("[name=note]", "Rang out")
    await page.click(".disposition [type=submit]")
    await expect(page.locator(".entry")).to_contain_text("Rang out")
    assert sitting.desk.dispositions == [(call["id"], {"action_code": "NOA", "note": "Rang out"})]
