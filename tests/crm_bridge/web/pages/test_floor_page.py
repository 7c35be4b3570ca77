"""The supervisor's floor in Chromium on the real service: live by the stream, by the clock without it, with axe."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect
from sqlalchemy import update

from config import clock
from config.journal import Entry
from crm_bridge.clocks.deadline_rules import Due
from crm_bridge.clocks.deadlines import Deadline, open_deadline
from crm_bridge.people import users
from crm_bridge.people.users import NewUser
from telephony.tables import calls
from tests.support import browser as browsers
from tests.support.browser import axe_findings, log_in
from tests.support.desk import finished_call
from tests.support.replay_desk import PASSWORD, ReplayDesk, replay_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOSTILE = "evil\u202e<img src=x onerror=alert(1)>"


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[ReplayDesk]:
    async with replay_desk(tmp_path) as opened:
        now = clock.now()
        async with opened.recorder.database.write() as transaction:
            for name, extension in (("li", "1001"), ("wang", "1002")):
                new = NewUser(name=name, role="collector", extension=extension, team=HOSTILE)
                await users.add_user(transaction, new, actor="tests", now=now)
            due = Due(now - timedelta(minutes=5), None)
            late = Deadline("n1", "note", due, HOSTILE, owner="li", case_id="HX-2026-001")
            await open_deadline(transaction, late, now)
        yield opened


async def _enter(page: Page, name: str) -> None:
    await page.goto("/supervisor")
    await log_in(page, name, PASSWORD)
    await page.wait_for_selector("#who:not(:empty)")


async def _move(desk: ReplayDesk, call: str, state: str = "connected", **values: object) -> None:
    async with desk.recorder.database.write() as transaction:
        values["state"] = state
        await transaction.execute(update(calls).where(calls.c.id == call).values(**values))
        transaction.journal(Entry(clock.now(), "call.state", agent="li", client="华信银行", call_id=call))


async def test_the_floor_follows_a_call_and_names_what_is_late(chromium: Browser, desk: ReplayDesk) -> None:
    async with browsers.reader(chromium, desk.origin, locale="en-GB") as page:
        await _enter(page, "zhou")
        li = page.locator("[data-agent=li]")
        await expect(page.locator("tbody tr")).to_have_count(2)
        await expect(li).to_contain_text(HOSTILE)
        await expect(page.get_by_role("status")).to_have_text("2 people, 0 on a call, 1 late with something")
        live = {"state": "connected", "ended_at": None, "end_reason": None, "outcome": "live", "client": "华信银行"}
        case = {"case_id": "HX-2026-001", "party_id": "p1", "current_agent": "li"}
        call = await finished_call(desk.recorder.database, clock.now(), agent="li", **live, **case)
        await _move(desk, call)
        await expect(li).to_contain_text("王伟")
        await expect(li).to_contain_text("On a call")
        await expect(li).to_contain_text("Connected")
        assert await axe_findings(page) == []
        await li.locator("summary").press("Enter")
        await expect(li.get_by_role("link", name="HX-2026-001").last).to_be_visible()
        await _move(desk, call, state="held", held_at=clock.now())
        await expect(li).to_contain_text("On hold")
        await expect(li.locator("details[open]")).to_be_visible()
        assert await axe_findings(page) == []
        await _move(desk, call, state="ended", ended_at=clock.now(), outcome="conversation", held_at=None)
        await expect(li.locator("td.number").nth(1)).to_have_text("1")


async def test_the_floor_speaks_chinese(chromium: Browser, desk: ReplayDesk) -> None:
    async with browsers.reader(chromium, desk.origin, locale="zh-CN", dark=True) as page:
        await _enter(page, "liu.qa")
        await expect(page.locator("h1")).to_have_text("现场")
        await expect(page.locator("[data-agent=li] summary")).to_have_text("1项超时")
        assert await axe_findings(page) == []
