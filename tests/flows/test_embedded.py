"""The call bar in a CRM's page of another origin, in Chromium, with real phones: a collector's day there."""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import axe_findings, chromium
from tests.support.callers import Callers
from tests.support.crm_floor import CrmFloor, at_the_crm, until_live, until_true

pytestmark = pytest.mark.flow

SHOTS = os.environ.get("SHOTS")
"""A folder for pictures of the pages, where somebody wants to look at them."""
PATIENCE = 30_000


async def _shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def test_a_number_of_the_crm_becomes_a_call_and_the_call_its_note(crm_floor: CrmFloor) -> None:
    async with chromium() as browser, at_the_crm(browser, crm_floor.origin) as page:
        await page.goto("/")
        await until_live(page)
        link = page.locator("call-link[case=crm-1]")
        await expect(link).to_have_attribute("data-allowed", "true")
        await _shot(page, "embed-idle")
        assert await axe_findings(page) == []
        await link.get_by_role("button").click()
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking", timeout=PATIENCE)
        await expect(link.get_by_role("button")).to_have_attribute("aria-disabled", "true")
        await page.reload()
        await until_live(page)
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking", timeout=PATIENCE)
        await page.evaluate("CallBridge.hold()")
        await expect(page.locator("call-panel")).to_have_attribute("data-state", "held")
        await page.evaluate("CallBridge.unhold()")
        await expect(page.locator("call-panel")).to_have_attribute("data-state", "connected")
        await page.evaluate("CallBridge.dtmf('12')")
        await _shot(page, "embed-talking")
        assert await axe_findings(page) == []
        await page.keyboard.press("Alt+KeyH")
        await expect(page.locator(".call-state")).to_contain_text("Call completed", timeout=PATIENCE)
        await page.select_option("[name=action_code]", "PTP")
        await page.fill("[name=note]", "Pays half on Friday")
        await page.check("[name=promised]")
        await page.fill("[name=amount]", "600")
        await page.fill("[name=due_on]", "2030-01-31")
        await page.click(".disposition [type=submit]")
        await expect(page.locator(".notice-good")).to_have_text("Saved.")
    notes = await crm_floor.floor.expect(200, "GET", "/v1/cases/crm-1/notes", user="crm")
    assert [(note["state"], note["text"]) for note in notes["items"]] == [("final", "Pays half on Friday")]
    digits = await crm_floor.floor.expect(200, "GET", "/v1/journal?kind=call.digits", user="admin")
    assert [entry["data"]["count"] for entry in digits["items"]] == [2]


async def test_a_complaint_at_the_crm_takes_the_button_away(crm_floor: CrmFloor) -> None:
    async with chromium() as browser, at_the_crm(browser, crm_floor.origin) as page:
        await page.goto("/")
        await until_live(page)
        link = page.locator("call-link[case=crm-1]")
        await expect(link).to_have_attribute("data-allowed", "true")
        await crm_floor.crm.say(
            "POST", "/v1/complaints", {"case_id": "crm-1", "severity": "general", "text": "called at work"}
        )
        await expect(link).to_have_attribute("data-allowed", "false", timeout=PATIENCE)
        await expect(link.get_by_role("button")).to_have_attribute("aria-disabled", "true")
        await expect(link).to_contain_text("complaint")
        await _shot(page, "embed-complaint")
        assert await axe_findings(page) == []
        told = await page.evaluate(
            "CallBridge.dial({number: '+8613911110002', caseId: 'crm-1', partyId: 'crm-person-1'}).catch((error) => error.code)"
        )
        assert told == "policy-denied"


async def test_an_expired_token_is_told_and_renewed_without_a_word_to_the_collector(crm_floor: CrmFloor) -> None:
    async with chromium() as browser, at_the_crm(browser, crm_floor.origin) as page:
        short = await crm_floor.mint(seconds=1)
        await page.route("**/crm.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        await page.goto("/")
        await page.evaluate(
            """async (first) => {
              window.told = [];
              CallBridge.on("token-expired", ({ code }) => window.told.push(code));
              let given = 0;
              const tokenProvider = async () => given++ ? (await fetch("/token", { method: "POST" })).json() : first;
              await CallBridge.init({ tokenProvider, language: "en" }).catch((error) => window.told.push(error.code));
            }""",
            short["token"],
        )
        await until_true(page, "window.told.includes('token-expired')")
        await until_true(page, "CallBridge.agent?.name === 'collector'")
        await page.evaluate("CallBridge.setAgentState('ready')")
        await expect(page.locator("call-bar .notice-bad")).to_have_count(0)


async def test_a_page_that_is_not_on_the_list_is_refused_and_says_why(crm_floor: CrmFloor) -> None:
    async with chromium() as browser, at_the_crm(browser, crm_floor.foreign) as page:
        token = (await crm_floor.mint())["token"]
        await page.route("**/crm.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        await page.goto("/")
        code = await page.evaluate(
            "(token) => CallBridge.init({ token, language: 'en' }).catch((error) => error.code)", token
        )
        assert code == "origin-not-allowed"
        await expect(page.locator("call-bar .notice-bad")).to_contain_text("origin")
        await _shot(page, "embed-foreign")


async def test_who_calls_in_pops_in_the_crm_with_the_way_to_the_case(crm_floor: CrmFloor, crm_callers: Callers) -> None:
    await crm_callers.route()
    template = {"template": f"{crm_floor.origin}/case?id={{case_id}}"}
    await crm_floor.floor.expect(200, "PUT", "/v1/screen-pop-links/anytime", user="crm", body=template)
    async with chromium() as browser, at_the_crm(browser, crm_floor.origin) as page:
        await page.goto("/case?id=crm-2")
        await until_live(page)
        await page.evaluate("CallBridge.setAgentState('ready')")
        await crm_callers.call("+8613911110002")
        panel = page.locator("incoming-call")
        await expect(panel).to_be_visible(timeout=PATIENCE)
        await expect(panel).not_to_contain_text("loan-1")
        await expect(page.locator("#log")).to_contain_text(f"{crm_floor.origin}/case?id=crm-1", timeout=PATIENCE)
        await expect(panel).to_have_attribute("data-state", "answered", timeout=PATIENCE)
        await _shot(page, "embed-pop")
        await panel.get_by_role("button", name="Open the case").click()
        await page.wait_for_url("**/case?id=crm-1")
        await until_live(page)
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking", timeout=PATIENCE)


async def test_two_tabs_share_one_stream_and_the_other_takes_over(crm_floor: CrmFloor) -> None:
    leads = "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/v1/events')).length"
    async with chromium() as browser, at_the_crm(browser, crm_floor.origin) as page:
        await page.goto("/")
        await until_live(page)
        other = await page.context.new_page()
        await other.goto("/")
        await until_live(other)
        assert len(crm_floor.floor.services.live._listeners) == 1, await other.evaluate(leads)
        await page.evaluate("CallBridge.setAgentState('away', 'lunch')")
        await expect(other.locator("agent-state")).to_have_attribute("data-state", "away", timeout=PATIENCE)
        await page.close()
        await other.evaluate("CallBridge.setAgentState('ready')")
        await expect(other.locator("agent-state")).to_have_attribute("data-state", "ready", timeout=PATIENCE)
        await other.evaluate(
            "window.heard = []; CallBridge.on('agent.state', (event) => window.heard.push(event.data)); 0"
        )
        body = {"state": "away", "reason": "break"}
        await crm_floor.floor.expect(200, "PUT", "/v1/agents/collector/state", user="collector", body=body)
        await until_true(other, "window.heard.length > 0")


async def test_a_laptop_that_slept_through_the_end_of_a_call_comes_back_true(crm_floor: CrmFloor) -> None:
    async with chromium() as browser, at_the_crm(browser, crm_floor.origin) as page:
        await page.clock.install()
        await page.goto("/")
        await until_live(page)
        await page.locator("call-link[case=crm-1]").get_by_role("button").click()
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking", timeout=PATIENCE)
        call_id = await page.evaluate("CallBridge.call.id")
        await page.evaluate("window.again = 0; CallBridge.on('resync', () => window.again++); 0")
        await page.context.set_offline(True)
        await crm_floor.floor.expect(200, "POST", f"/v1/calls/{call_id}/hangup", user="collector")
        await crm_floor.crm.say("POST", "/v1/complaints", {"case_id": "crm-1", "severity": "general", "text": "late"})
        await page.clock.fast_forward("01:00:00")
        await page.context.set_offline(False)
        await expect(page.locator("call-panel")).to_have_attribute("data-state", "ended", timeout=60_000)
        link = page.locator("call-link[case=crm-1]")
        await expect(link).to_have_attribute("data-allowed", "false", timeout=60_000)
        await until_true(page, "window.again > 0")
        await expect(page.locator("call-bar .bar-trouble .notice")).to_have_count(0, timeout=60_000)


async def test_a_tel_link_is_dialled_by_keyboard_in_chinese_and_in_the_dark(crm_floor: CrmFloor) -> None:
    change = {"language": "zh"}
    await crm_floor.floor.expect(200, "PATCH", "/v1/users/collector", user="admin", body=change)
    async with (
        chromium() as browser,
        at_the_crm(browser, crm_floor.origin, locale="zh-CN", dark=True) as page,
    ):
        await page.goto("/case?id=crm-1")
        await page.evaluate("CallBridge.init({ tokenProvider })")
        await expect(page.locator("call-bar")).to_contain_text("通话")
        await page.locator("#numbers a").first.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-leg=customer]")).to_have_attribute("data-state", "talking", timeout=PATIENCE)
        await _shot(page, "embed-zh-dark")
        assert [one for one in await axe_findings(page) if "call-bar" in one] == []
        await page.evaluate("CallBridge.hangup()")
        await expect(page.locator("call-panel")).to_have_attribute("data-state", "ended", timeout=PATIENCE)
        saved = await page.evaluate(
            "CallBridge.saveLog({ actionCode: 'PTP', note: '周五还款', promise: { on: '2030-01-31', amount: '600' } })"
        )
        assert saved["note"]["state"] == "final" if "note" in saved else saved
    notes = await crm_floor.floor.expect(200, "GET", "/v1/cases/crm-1/notes", user="crm")
    assert [note["text"] for note in notes["items"]] == ["周五还款"]


async def test_a_crm_that_needs_an_iframe_calls_by_messages(crm_floor: CrmFloor) -> None:
    async with chromium() as browser, at_the_crm(browser, crm_floor.origin) as page:
        await page.goto("/framed")
        await page.wait_for_function("window.told.some((one) => one.name === 'ready')", timeout=60_000)
        ask = """([id, method, args]) => frame.contentWindow.postMessage({ callbridge: "ask", id, method, args }, there)"""
        number = {"number": "+8613911110002", "caseId": "crm-1", "partyId": "crm-person-1"}
        await page.evaluate(ask, ["1", "dial", [number]])
        await page.wait_for_function("window.answers['1']?.value?.number === '+8613911110002'")
        connected = "window.told.some((one) => one.name === 'call' && one.detail?.state === 'connected')"
        await page.wait_for_function(connected, timeout=60_000)
        await _shot(page, "embed-frame")
        await page.evaluate(ask, ["2", "hangup", []])
        await page.wait_for_function("'2' in window.answers")
        await page.evaluate(ask, ["3", "constructor", []])
        await page.wait_for_function("window.answers['3']?.problem?.code === 'error'")
        assert page.frames[1].url.startswith(crm_floor.floor.base)


async def test_a_frame_does_not_listen_to_another_page_nor_show_itself_there(crm_floor: CrmFloor) -> None:
    async with chromium() as browser, at_the_crm(browser, crm_floor.foreign) as page:
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        await page.goto("/framed")
        await page.wait_for_load_state("networkidle")
        assert await page.evaluate("window.told.length") == 0
        assert any("frame-ancestors" in text for text in refused)
