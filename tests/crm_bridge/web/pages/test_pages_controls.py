"""What the call bar offers on a live call: hold, mute, keypad, transfer, pause of the recording; by mouse and by keyboard."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.crm_bridge.web.pages.test_pages_accessibility import BOTH, UNTRANSLATED
from tests.support.browser import axe_findings
from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")

NUMBER = "+8613911112222"
TARGETS = {
    "colleagues": [
        {"name": "wang.fang", "extension": "1002", "free": True},
        {"name": "zhao.lei", "extension": "1003", "free": False},
    ],
    "groups": [{"name": "second-line", "members": 3, "free": 2}],
    "numbers": [
        {"party_id": "p2", "name": "李静", "relation": "spouse", "number": NUMBER, "allowed": True},
        {"party_id": "p3", "name": "张三", "relation": "guarantor", "number": "+8613500001111", "allowed": False,
         "rule": "house/do-not-call", "reason": "do-not-call", "retry_at": None},
    ],
}  # fmt: skip


async def talking(sitting: Sitting, name: str = "li.na", **columns: Any) -> tuple[Page, dict[str, Any]]:
    """Somebody with a call that is connected."""
    sitting.desk.targets = TARGETS
    page = await sitting.open_case(name=name)
    call = await sitting.call()
    await sitting.desk.move(call, "calling_customer")
    await sitting.desk.move(call, "connected", **columns)
    await expect(page.locator(".controls")).to_be_visible()
    return page, call


def control(page: Page, name: str) -> Any:
    return page.locator(f"[data-control={name}]")


async def test_there_is_nothing_to_control_before_both_are_on_the_line(sitting: Sitting) -> None:
    page = await sitting.open_case()
    call = await sitting.call()
    await expect(page.locator("call-controls")).to_be_hidden()
    await page.keyboard.press("Alt+KeyL")
    await sitting.desk.move(call, "connected")
    await expect(page.locator("call-controls")).to_be_visible()
    await sitting.desk.move(call, "ended", end_reason="completed", outcome="conversation")
    await expect(page.locator("call-controls")).to_be_hidden()
    assert sitting.desk.controlled == []


async def test_hold_mute_and_pause_are_switched_by_keyboard(sitting: Sitting) -> None:
    page, _ = await talking(sitting)
    for key, name, words in (("L", "hold", "Resume"), ("M", "mute", "Unmute"), ("R", "pause", "Record again")):
        await page.keyboard.press(f"Alt+Key{key}")
        await expect(control(page, name)).to_have_attribute("aria-pressed", "true")
        await expect(control(page, name)).to_contain_text(words)
    await expect(page.locator(".call-state")).to_contain_text("On hold")
    await expect(page.locator("[data-told=paused]")).to_contain_text("Nothing is recorded for another 1:")
    for key, name in (("L", "hold"), ("M", "mute"), ("R", "pause")):
        await page.keyboard.press(f"Alt+Key{key}")
        await expect(control(page, name)).to_have_attribute("aria-pressed", "false")
    asked = [what for what, _ in sitting.desk.controlled]
    assert asked == ["hold", "mute", "pause-recording", "unhold", "unmute", "resume-recording"]


async def test_the_page_warns_of_a_long_hold(sitting: Sitting) -> None:
    page, call = await talking(sitting)
    since = (datetime.now(UTC) - timedelta(seconds=130)).isoformat()
    await sitting.desk.move(call, "held", held_at=since)
    await expect(page.locator(".hold-long")).to_contain_text("On hold for 2:1")


async def test_digits_are_pressed_one_by_one(sitting: Sitting) -> None:
    page, _ = await talking(sitting)
    await page.keyboard.press("Alt+KeyG")
    await expect(page.get_by_role("button", name="Send 1")).to_be_focused()
    for digit in ("4", "#"):
        await page.get_by_role("button", name=f"Send {digit}").click()
    await expect(page.locator(".keypad")).to_contain_text("2 sent")
    assert sitting.desk.controlled == [("dtmf", {"digits": "4"}), ("dtmf", {"digits": "#"})]


async def test_a_call_is_handed_to_a_colleague_by_keyboard_and_taken_back(sitting: Sitting) -> None:
    page, call = await talking(sitting)
    await page.keyboard.press("Alt+KeyT")
    await expect(page.locator("#transfer-to")).to_be_focused()
    await expect(page.locator(".transfer-list")).to_contain_text("2 of 3 free")
    await page.keyboard.type("1002")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-transfer=ringing]")).to_contain_text("Ringing 1002")
    await page.get_by_role("button", name="Back to the customer").click()
    await expect(page.locator("[data-transfer]")).to_have_count(0)
    await page.keyboard.press("Alt+KeyT")
    await page.get_by_label("Talk first").check()
    await page.click('[data-to="wang.fang"]')
    transfer = {"to": "wang.fang", "kind": "attended", "by": "li.na", "state": "consulting"}
    await sitting.desk.move(call, "held", transfer=transfer)
    await page.get_by_role("button", name="Connect them").click()
    done = {**transfer, "state": "done"}
    await sitting.desk.move(call, "connected", transfer=done, current_agent="wang.fang")
    await expect(page.locator(".call-notice")).to_contain_text("The call is with wang.fang now.")
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "idle")
    bodies = [body for what, body in sitting.desk.controlled if what == "transfer"]
    assert bodies == [{"to": "1002", "kind": "blind"}, {"to": "wang.fang", "kind": "attended"}]


async def test_who_gets_a_call_sees_it_with_its_controls(sitting: Sitting) -> None:
    sitting.desk.targets = TARGETS
    page = await sitting.open_case(name="wang.fang")
    call = sitting.desk.add_call(case_id="HX-2026-000412", party_id="p1", number="+8613800138000", agent="li.na")
    await sitting.desk.move(call, "connected", current_agent="wang.fang", transfer={"state": "done", "to": "wang.fang"})
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "connected")
    await expect(page.locator(".controls")).to_be_visible()


async def test_a_refused_number_says_why_and_nothing_moves(sitting: Sitting) -> None:
    page, call = await talking(sitting)
    sitting.desk.control_refusal = (403, {"code": "policy-denied", "detail": "no", "rule": "house/do-not-call",
                                          "reason": "do-not-call", "retry_at": None})  # fmt: skip
    await control(page, "transfer").click()
    await page.click(f'[data-to="{NUMBER}"]')
    await expect(page.locator(".transfer-refusal")).to_contain_text("The number is marked do-not-call.")
    assert sitting.desk.controlled == [("transfer", {"to": NUMBER, "kind": "blind", "party_id": "p2"})]
    await page.keyboard.press("Escape")
    assert call["state"] == "connected"


async def test_a_transfer_that_failed_is_told_with_its_reason(sitting: Sitting) -> None:
    page, call = await talking(sitting)
    failed = {"to": "1009", "kind": "blind", "by": "li.na", "state": "failed", "reason": "busy"}
    await sitting.desk.move(call, "connected", transfer=failed)
    await expect(page.locator("[data-transfer=failed]")).to_contain_text("The line is busy.")


@BOTH
async def test_the_controls_and_the_dialog_are_for_everybody(sitting: Sitting, request: pytest.FixtureRequest) -> None:
    chinese = "zh" in request.node.callspec.id
    page, call = await talking(sitting, "wang.fang" if chinese else "li.na")
    transfer = {"to": "1002", "kind": "attended", "by": "li.na", "state": "consulting"}
    held = (datetime.now(UTC) - timedelta(seconds=130)).isoformat()
    paused = (datetime.now(UTC) + timedelta(seconds=100)).isoformat()
    await sitting.desk.move(call, "held", held_at=held, muted=True, paused_until=paused, transfer=transfer)
    await expect(page.locator("[data-transfer=consulting]")).to_be_visible()
    await _check(page, chinese)
    await sitting.desk.move(call, "connected", held_at=None, transfer=None)
    await page.keyboard.press("Alt+KeyG")
    await expect(page.locator(".key")).to_have_count(12)
    await _check(page, chinese)
    await control(page, "transfer").click()
    await expect(page.locator(".target")).to_have_count(5)
    await _check(page, chinese)


async def _check(page: Page, chinese: bool) -> None:
    assert await axe_findings(page) == []
    if chinese:
        assert await page.evaluate(UNTRANSLATED) == []
