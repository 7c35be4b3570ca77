"""A replay session by keyboard in Chromium on the real service; incidents and retention beside it; axe on each."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from config.journal import Entry
from tests.support import browser as browsers
from tests.support.browser import axe_findings, log_in
from tests.support.replay_desk import PASSWORD, ReplayDesk, replay_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENGLISH = {"locale": "en-GB"}
CHINESE = {"locale": "zh-CN", "dark": True}


class Session:
    """Somebody at the replay desk."""

    def __init__(self, page: Page, desk: ReplayDesk) -> None:
        self.page = page
        self.desk = desk

    async def log_in(self, name: str = "chen.qa", where: str = "/qa") -> Page:
        """Log in by keyboard, on the way to a page."""
        await self.page.goto(where)
        await self.page.wait_for_selector("#password")
        await log_in(self.page, name, PASSWORD)
        await self.page.wait_for_selector("#who:not(:empty)")
        return self.page

    async def listen(self, name: str = "王伟") -> Page:
        """Log in at a call's own address and wait for its waveform."""
        page = await self.log_in(where=f"/qa/calls/{self.desk.calls[name].id}")
        await page.wait_for_selector(".player-card:not([hidden])")
        return page

    async def position(self) -> float:
        """Where it plays, in seconds, as the page tells a screen reader."""
        return float(await self.page.locator("wave-form").get_attribute("aria-valuenow") or -1)

    async def plays(self, kind: str = "recording.played") -> list[Entry]:
        """What the journal has of it."""
        return await self.desk.recorder.journal(kind)


@pytest_asyncio.fixture(loop_scope="session")
async def session(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Session]:
    options: dict[str, Any] = getattr(request, "param", ENGLISH)
    async with replay_desk(tmp_path) as desk, browsers.reader(chromium, desk.origin, **options) as page:
        yield Session(page, desk)


async def test_a_whole_session_by_keyboard(session: Session) -> None:
    page = await session.log_in()
    await expect(page.locator(".found-row")).to_have_count(3)
    await page.keyboard.press("/")
    await page.keyboard.type("王伟")
    await expect(page.locator(".found-row")).to_have_count(1)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".player-card:not([hidden])")
    assert page.url.endswith(session.desk.calls["王伟"].id)
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    await expect(page.locator(".clock")).to_have_text("0:15 of 2:00")
    await page.keyboard.press("Shift+ArrowLeft")
    await expect(page.locator(".clock")).to_have_text("0:14 of 2:00")
    await page.locator("wave-form").focus()
    await page.keyboard.press("Space")
    await expect(page.locator("[data-act=play]")).to_contain_text("Pause")
    await page.wait_for_function("() => Number(document.querySelector('wave-form').ariaValueNow) >= 16")
    await page.keyboard.press("c")
    await expect(page.locator("[data-act=play]")).to_contain_text("Play")
    await page.keyboard.type("Says nothing of the recording")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".comment-text")).to_have_text("Says nothing of the recording")
    await expect(page.locator(".call-head")).to_contain_text("Comments: 1")
    (play,) = await session.plays()
    assert (play.actor, play.data) == ("chen.qa", {"format": "flac", "reason": "review"})
    (comment,) = await session.plays("recording.commented")
    assert 15 < comment.data["at_second"] < 20


async def test_silence_is_skipped_and_speed_and_sides_are_keys(session: Session) -> None:
    page = await session.listen()
    for _ in range(6):
        await page.keyboard.press("=")
    await expect(page.locator("[data-focus=speed]")).to_have_value("2")
    await page.keyboard.press("-")
    await expect(page.locator("[data-focus=speed]")).to_have_value("1.75")
    await page.keyboard.press("s")
    await expect(page.locator("[data-act=skip]")).to_have_attribute("aria-pressed", "true")
    for key, side in (("2", "ours"), ("3", "theirs"), ("1", "both")):
        await page.keyboard.press(key)
        await expect(page.locator(f"[data-side={side}]")).to_have_attribute("aria-pressed", "true")
    await page.locator("wave-form").focus()
    for _ in range(4):
        await page.keyboard.press("ArrowRight")  # 20 s: eight silent seconds begin
    await page.keyboard.press("Space")
    await page.wait_for_function("() => Number(document.querySelector('wave-form').ariaValueNow) >= 28")
    await page.keyboard.press("Space")
    assert await session.position() < 40
    await page.keyboard.press("End")
    assert await session.position() == 119
    await page.keyboard.press("Home")
    assert await session.position() == 0


async def test_marked_stretches_are_jumped_to(session: Session) -> None:
    page = await session.listen()
    await expect(page.locator(".region")).to_have_text(
        ["Dead air 0:20–0:28", "Dead air 1:00–1:15", "On hold 1:29–1:39"]
    )
    positions = []
    for _ in range(4):
        await page.keyboard.press("g")
        positions.append(await session.position())
    assert positions == [20, 60, 89, 20]
    await page.click(".region[data-region=hold]")
    assert await session.position() == 89
    box = await page.locator(".wave-main").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40)
    assert await session.position() == 60


async def test_the_waveform_is_drawn_in_both_colours_and_zooms(session: Session) -> None:
    page = await session.listen()
    looks = """() => {
      const canvas = document.querySelector('.wave-main');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Map();
      for (let at = 0; at < data.length; at += 4) {
        const colour = data.slice(at, at + 3).join();
        if (data[at + 3] > 200) seen.set(colour, (seen.get(colour) ?? 0) + 1);
      }
      return [...seen.values()].filter((count) => count > 500).length;
    }"""
    assert await page.evaluate(looks) >= 2
    before = await page.evaluate("document.querySelector('.wave-main').toDataURL()")
    await page.keyboard.press("z")
    assert await page.evaluate("document.querySelector('.wave-main').toDataURL()") != before
    await page.keyboard.press("x")
    assert await page.evaluate("document.querySelector('.wave-main').toDataURL()") == before


async def test_the_list_is_walked_and_what_has_no_sound_says_so(session: Session) -> None:
    page = await session.log_in()
    await page.wait_for_selector(".found-row")
    listed = await page.locator(".found-name").all_inner_texts()
    for name in listed:
        await page.keyboard.press("j")
        await expect(page.locator(".call-head h1")).to_have_text(name)
        await expect(page.locator(".player-card")).to_be_visible(visible=name != "欧阳若曦")
    await page.keyboard.press("k")
    await expect(page.locator(".call-head h1")).to_have_text(listed[1])
    await page.click("text=Reyhangul Tursun")
    await expect(page.locator(".call-head")).to_contain_text("沪0115民初42号")
    await page.click(".filters summary")
    await page.select_option("[name=flag]", "silent")
    await expect(page.locator(".found-row")).to_have_count(1)
    await page.select_option("[name=flag]", "clipped")
    await expect(page.locator(".list-status")).to_have_text("No recorded call matches.")


async def test_a_copy_is_taken_away_only_with_a_reason(session: Session) -> None:
    page = await session.listen()
    await page.click("[data-act=export]")
    await page.keyboard.press("Enter")
    await expect(page.locator("#export-error")).to_have_text("Say why the copy is needed.")
    await page.keyboard.type("court order 42")
    async with page.expect_download() as started:
        await page.click("#export-form [value=wav]")
    download = await started.value
    assert download.suggested_filename == f"{session.desk.calls['王伟'].id}.wav"
    (export,) = await session.plays("recording.exported")
    assert (export.actor, export.data) == ("chen.qa", {"format": "wav", "reason": "court order 42"})


async def test_another_reason_is_another_play(session: Session) -> None:
    page = await session.listen()
    for reason in ("review", "complaint"):
        await page.select_option("[data-focus=reason]", reason)
        await page.locator("wave-form").focus()
        await page.keyboard.press("Space")
        await page.wait_for_function("() => document.querySelector('.clock').textContent.startsWith('0:01')")
        await page.keyboard.press("Space")
        await page.keyboard.press("Home")
    assert [play.data["reason"] for play in await session.plays()] == ["review", "complaint"]


async def test_single_keys_can_be_turned_off(session: Session) -> None:
    page = await session.listen()
    await page.keyboard.press("?")
    await page.uncheck("#single-keys")
    await page.keyboard.press("Escape")
    await page.keyboard.press("s")
    await expect(page.locator("[data-act=skip]")).to_have_attribute("aria-pressed", "false")
    await page.locator("wave-form").focus()
    await page.keyboard.press("ArrowRight")
    assert await session.position() == 5


@pytest.mark.parametrize("session", [ENGLISH, CHINESE], indirect=True, ids=["en-light", "zh-dark"])
async def test_every_page_is_accessible_and_translated(session: Session, request: pytest.FixtureRequest) -> None:
    is_chinese = request.node.callspec.params["session"] == CHINESE
    page = await session.log_in("root", "/retention")
    if is_chinese:
        await page.click("[data-choose-language=zh]")
    await page.wait_for_selector("[data-class]")
    await page.click("[data-focus=new-hold]")
    await page.click("[data-focus=edit-default]")
    assert await axe_findings(page) == []
    await page.goto("/qa/incidents")
    await page.wait_for_selector("[data-incident]")
    await page.locator("[data-incident] .button").first.click()
    assert await axe_findings(page) == []
    await page.goto(f"/qa/calls/{session.desk.calls['王伟'].id}")
    await page.wait_for_selector(".player-card:not([hidden])")
    await page.click(".filters summary")
    await page.keyboard.press("Escape")
    await page.click("replay-comments .card-head button")
    assert await axe_findings(page) == []
    await page.click("#show-shortcuts")
    assert await axe_findings(page) == []


async def test_a_class_is_changed_after_its_effect_was_seen(session: Session) -> None:
    page = await session.log_in("root", "/retention")
    await page.click("[data-focus=edit-default]")
    await page.fill("[name=years]", "3")
    await page.fill("#c-reason", "the bank asks for three")
    await page.keyboard.press("Enter")
    await expect(page.locator(".form .notice")).to_contain_text("4 of 4 recordings are kept longer.")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-class=default] td").nth(2)).to_have_text("3 y")
    (change,) = await session.plays("retention_class.changed")
    assert (change.actor, change.data["reason"]) == ("root", "the bank asks for three")


async def test_a_matter_is_opened_and_released_with_a_reason(session: Session) -> None:
    page = await session.log_in("zhou", "/retention")
    await page.click("[data-focus=new-hold]")
    for name, value in (("matter", "audit 2026"), ("case_id", "HX-2026-001"), ("reason", "asked by the bank")):
        await page.fill(f"form [name={name}]", value)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-hold]")).to_have_count(2)
    matter = page.locator("[data-hold]", has_text="audit 2026")
    await expect(matter).to_contain_text("keeps 2 recordings")
    await matter.get_by_role("button", name="Release").click()
    await page.keyboard.type("audit over")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-hold]")).to_have_count(1)
    assert [entry.data["reason"] for entry in await session.plays("hold.released")] == ["audit over"]


async def test_an_incident_is_closed_with_what_was_found_out(session: Session) -> None:
    page = await session.log_in("chen.qa", "/qa/incidents")
    await expect(page.locator("[data-incident]")).to_have_count(3)
    await page.locator("[data-incident] .button").first.click()
    await page.keyboard.type("the line was broken")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-incident]")).to_have_count(2)
    await page.click("[data-focus=closed]")
    await expect(page.locator("[data-incident]")).to_have_count(1)
    await expect(page.locator("[data-incident]")).to_contain_text("the line was broken")
