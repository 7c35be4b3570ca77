"""The complaint board and the page of deadlines in Chromium on the real service: by keyboard, in both languages, axe on each."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import insert, select

from config import clock
from crm_bridge.clocks.jobs import deadline_clock
from crm_bridge.complaints import complaints
from crm_bridge.complaints.complaints import Opening
from crm_bridge.complaints.ladders import Severity
from crm_bridge.people import users
from crm_bridge.people.users import NewUser, User
from crm_bridge.tables import case_parties
from tests.support import browser as browsers
from tests.support.browser import axe_findings, log_in
from tests.support.replay_desk import PASSWORD, ReplayDesk, replay_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

ZONE = "Asia/Shanghai"
ENGLISH = {"locale": "en-GB"}
CHINESE = {"locale": "zh-CN", "dark": True}
ROOT = User("root", "admin")
HOSTILE = "<img src=x onerror=alert(1)> \u202eesrever"


PLAYED = """new Promise((done) => {
  const audio = document.querySelector("audio");
  const look = () => audio.currentTime > 42.2 && !audio.paused && done(audio.currentTime);
  audio.addEventListener("timeupdate", look);
  look();
})"""


class Board:
    """Somebody at the board, and the desk behind it."""

    def __init__(self, page: Page, desk: ReplayDesk) -> None:
        self.page = page
        self.desk = desk

    async def log_in(self, name: str = "zhou", where: str = "/supervisor/complaints") -> Page:
        """Log in on the way to a page."""
        await self.page.goto(where)
        await log_in(self.page, name, PASSWORD)
        await self.page.wait_for_selector("#who:not(:empty)")
        return self.page

    async def complaint(self, severity: Severity, minutes_ago: float, text: str = "rude", **fields: Any) -> str:
        """A complaint opened so long ago; its id."""
        now = clock.now() - timedelta(minutes=minutes_ago)
        new = Opening(**{"case_id": "HX-2026-001", "severity": severity, "text": text} | fields)
        async with self.desk.recorder.database.write() as transaction:
            row = await complaints.open_complaint(transaction, new, zone=ZONE, user=ROOT, now=now)
        return str(row.id)

    async def tick(self, now: datetime | None = None) -> None:
        """Let the clock of all deadlines look."""
        await deadline_clock(self.desk.recorder.database, ZONE).tick(now or clock.now())


@pytest_asyncio.fixture(loop_scope="session")
async def board(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Board]:
    options: dict[str, Any] = getattr(request, "param", ENGLISH)
    async with replay_desk(tmp_path) as desk, browsers.reader(chromium, desk.origin, **options) as page:
        async with desk.recorder.database.write() as transaction:
            for name, role, language in (
                ("han", "supervisor", "en"),
                ("mei", "collector", "en"),
                ("guan", "supervisor", "zh"),
            ):
                new = NewUser.model_validate({"name": name, "role": role, "language": language, "password": PASSWORD})
                await users.add_user(transaction, new, actor="tests", now=clock.now())
            linked = {"case_id": "HX-2026-001", "party_id": "p1", "relation": "debtor", "position": 0}
            if not (await transaction.all(select(case_parties).where(case_parties.c.case_id == "HX-2026-001"))):
                await transaction.execute(insert(case_parties).values(**linked))
        yield Board(page, desk)


async def stage_of(page: Page, complaint_id: str) -> str | None:
    stage = page.locator(".stage", has=page.locator(f'[data-complaint="{complaint_id}"]'))
    return await stage.get_attribute("data-stage")


async def test_a_complaint_is_worked_through_by_keyboard_from_step_to_instruction(board: Board) -> None:
    complaint_id = await board.complaint("general", 5, call_id=board.desk.calls["王伟"].id, at_second=42)
    page = await board.log_in()
    card = page.locator(f'[data-complaint="{complaint_id}"]')
    await expect(card.locator(".countdown")).to_contain_text("left")
    await card.focus()
    await page.keyboard.press("Enter")
    dialog = page.locator("dialog.complaint-box")
    await expect(dialog.locator("#complaint-title")).to_contain_text("HX-2026-001")
    assert page.url.endswith(f"/supervisor/complaints/{complaint_id}")
    await page.fill("#act-text", "talked to the collector")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(dialog.locator(".trail li").first).to_contain_text("talked to the collector")
    await expect(dialog.locator("#act-step")).to_have_value("supervisor")
    await dialog.locator('[data-focus="form-close"]').press("Enter")
    await page.select_option("#close-justified", "true")
    await page.fill("#close-ruling", "justified: the mother was told")
    await dialog.locator('[data-form="close"] button').press("Enter")
    await page.fill("#instruct-assign", "mei")
    await dialog.locator('[data-form="instruct"] button').press("Enter")
    await expect(dialog.locator(".trail li").first).to_contain_text("calling goes on with mei")
    await page.keyboard.press("Escape")
    await expect(dialog).not_to_be_visible()
    await page.wait_for_selector(f'[data-stage="settled"] [data-complaint="{complaint_id}"]')
    await expect(card).to_be_focused()


async def test_the_call_is_heard_from_the_pinned_second(board: Board) -> None:
    complaint_id = await board.complaint("serious", 1, call_id=board.desk.calls["王伟"].id, at_second=42)
    page = await board.log_in(where=f"/supervisor/complaints/{complaint_id}")
    await page.get_by_role("button", name="Listen from 0:42").click()
    assert await page.evaluate(PLAYED) > 42
    (play,) = await board.desk.recorder.journal("recording.played")
    assert (play.actor, play.data["reason"]) == ("zhou", f"complaint {complaint_id}")
    await page.get_by_role("link", name="Open in replay").click()
    await page.wait_for_selector(".player-card:not([hidden])")
    await expect(page.locator("wave-form")).to_have_attribute("aria-valuenow", "42")


async def test_an_escalation_and_another_supervisors_step_show_without_reloading(board: Board) -> None:
    complaint_id = await board.complaint("general", 29)
    page = await board.log_in()
    assert await stage_of(page, complaint_id) == "collector"
    await board.tick(clock.now() + timedelta(minutes=2))
    await page.wait_for_selector(f'[data-stage="supervisor"] [data-complaint="{complaint_id}"]')
    await expect(page.locator(f'[data-complaint="{complaint_id}"]')).to_contain_text("Escalations: 1")
    later = await board.complaint("major", 0)
    await page.wait_for_selector(f'[data-stage="manager"] [data-complaint="{later}"]')


async def test_who_was_quicker_is_told_and_nothing_typed_is_lost(board: Board) -> None:
    complaint_id = await board.complaint("general", 1)
    page = await board.log_in(where=f"/supervisor/complaints/{complaint_id}")
    await page.fill("#act-text", "mine")
    await page.route("**/v1/events", lambda route: route.abort())
    async with board.desk.recorder.database.write() as transaction:
        await complaints.act(
            transaction, complaint_id, "note", "quicker", revision=None, zone=ZONE, user=User("han", "supervisor"),
            now=clock.now(),
        )  # fmt: skip
    # Decided on what the page showed: the event may have brought the page up to date already, and then it goes through.
    await page.locator('[data-form="act"] button').click()
    trail = page.locator(".trail")
    await expect(trail).to_contain_text("quicker")
    told = page.locator(".part-head .notice-warn")
    await expect(told.or_(trail.filter(has_text="mine")).first).to_be_visible()
    if await told.count():
        await expect(told).to_contain_text("han was quicker: remarked")
        await expect(page.locator("#act-text")).to_have_value("mine")
    else:
        await expect(trail).to_contain_text("mine")


async def test_arrow_keys_go_from_card_to_card(board: Board) -> None:
    first, second = await board.complaint("general", 2), await board.complaint("general", 1)
    third = await board.complaint("major", 1)
    page = await board.log_in()
    await page.locator(f'[data-complaint="{first}"]').focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(f'[data-complaint="{second}"]')).to_be_focused()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(f'[data-complaint="{third}"]')).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(f'[data-complaint="{first}"]')).to_be_focused()


async def test_hostile_text_stays_text(board: Board) -> None:
    complaint_id = await board.complaint("general", 1, HOSTILE)
    page = await board.log_in(where=f"/supervisor/complaints/{complaint_id}")
    await expect(page.locator(".part-about .said")).to_contain_text("<img src=x")
    assert await page.locator("main img").count() == 0
    assert await page.locator(".part-about bdi").first.text_content() == HOSTILE


@pytest.mark.parametrize("board", [ENGLISH, CHINESE], indirect=True, ids=["english", "chinese, dark"])
async def test_board_dialog_and_deadlines_fit_and_are_accessible(
    board: Board, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for severity, minutes in (("general", 2), ("general", 40), ("serious", 20), ("serious", 130), ("major", 10)):
        await board.complaint(
            severity, minutes, "催收员态度恶劣,多次致电我的单位 and told my colleagues about the debt"
        )  # type: ignore[arg-type]  # of a Literal
    complaint_id = await board.complaint(
        "general", 3, call_id=board.desk.calls["王伟"].id, at_second=42, category="disclosure"
    )
    for _ in range(3):
        await board.tick()
    name = "guan" if "chinese" in request.node.name else "zhou"
    page = await board.log_in(name)
    await page.wait_for_selector(f'[data-complaint="{complaint_id}"]')
    assert await axe_findings(page) == []
    await page.screenshot(path=tmp_path / "board.png")
    root = "document.documentElement"
    assert await page.evaluate(f"{root}.scrollWidth <= innerWidth && {root}.scrollHeight <= innerHeight")
    await page.locator(f'[data-complaint="{complaint_id}"]').click()
    await page.wait_for_selector(".trail li")
    assert await axe_findings(page) == []
    await page.screenshot(path=tmp_path / "dialog.png")
    await page.goto("/deadlines")
    await page.wait_for_selector("tr[data-deadline]")
    assert await axe_findings(page) == []
    await page.screenshot(path=tmp_path / "deadlines.png")


async def test_deadlines_are_filtered_reported_and_ended_with_words(board: Board) -> None:
    await board.complaint("general", 1)
    page = await board.log_in("root", "/deadlines")
    await page.wait_for_selector("tr[data-kind=complaint-step]")
    await page.get_by_role("button", name="Report a matter").click()
    await page.fill("#report-text", "police at the door")
    await page.keyboard.press("Enter")
    row = page.locator("tr[data-kind=major-matter]")
    await expect(row).to_contain_text("police at the door")
    await expect(row.locator(".countdown")).to_contain_text("left")
    await page.select_option("#filter-kind", "major-matter")
    await expect(page.locator("tr[data-kind=complaint-step]")).to_have_count(0)
    await row.get_by_role("button", name="Done").click()
    await page.fill("#end-reason", "told the company")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nothing is due.")).to_be_visible()
    await page.select_option("#filter-state", "met")
    await expect(row).to_contain_text("root,")


async def test_someone_who_may_not_decide_sees_no_forms(board: Board) -> None:
    complaint_id = await board.complaint("general", 1)
    page = await board.log_in("chen.qa", f"/supervisor/complaints/{complaint_id}")
    await page.wait_for_selector(".trail li")
    assert await page.locator(".part-forms form").count() == 0
