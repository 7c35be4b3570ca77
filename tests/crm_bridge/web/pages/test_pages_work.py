"""On the desk: the week of a number, and who is due a call today, by keyboard and in both languages."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from tests.support.browser import axe_findings
from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOTH = pytest.mark.parametrize(
    "sitting", [{"locale": "en-GB"}, {"locale": "zh-CN", "dark": True}], indirect=True, ids=["en-light", "zh-dark"]
)


def _due(case_id: str, *, overdue: bool, later: str | None = None) -> dict[str, object]:
    at = datetime.now(UTC) + timedelta(hours=-1 if overdue else 1)
    return {"case_id": case_id, "client": "bank", "name": "王伟", "due_at": at.isoformat(), "overdue": overdue,
            "allowed_now": later is None, "retry_at": later, "targets": []}  # fmt: skip


@BOTH
async def test_the_week_of_a_number_is_unfolded_with_its_rules(
    sitting: Sitting, request: pytest.FixtureRequest
) -> None:
    page = await sitting.open_case(name="wang.fang" if "zh" in request.node.name else "li.na")
    row = page.locator('[data-number="+8618699001234"]')
    await row.locator("[data-focus^=rules-]").focus()
    await page.keyboard.press("Enter")
    # 08:00-21:00 UTC is 16:00-05:00 of the next day in Shanghai, where the reader sits.
    await expect(row.locator(".week li").nth(1)).to_contain_text("00:00–05:00, 16:00–24:00")
    await expect(row.locator(".week-bar").first).to_be_visible()
    assert await axe_findings(page) == []


@BOTH
async def test_who_is_due_a_call_is_marked_and_can_be_listed_alone(
    sitting: Sitting, request: pytest.FixtureRequest
) -> None:
    evening = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    sitting.desk.due = [
        _due("HX-2026-000413", overdue=True),
        _due("HX-2026-000412", overdue=False, later=evening),
        _due("ELSEWHERE", overdue=False),
    ]
    page = await sitting.log_in("wang.fang" if "zh" in request.node.name else "li.na")
    everyone = await page.locator(".case-row").count()
    button = page.locator("case-list .list-head button")
    await expect(button).to_contain_text("3")
    assert await axe_findings(page) == []
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".case-row")).to_have_count(3)
    await expect(page.locator(".case-row").first).to_contain_text("HX-2026-000413")
    assert await axe_findings(page) == []
    await page.keyboard.press("Enter")
    await expect(page.locator(".case-row")).to_have_count(everyone)


@BOTH
async def test_the_longer_a_case_lies_the_warmer_its_colour_and_words_say_how_long(
    sitting: Sitting, request: pytest.FixtureRequest
) -> None:
    chinese = "zh" in request.node.name
    page = await sitting.log_in("wang.fang" if chinese else "li.na")
    colours = set()
    for case_id, band, words in (
        ("HX-2026-000414", "fresh", "昨天" if chinese else "yesterday"),
        ("US-77-0031", "waiting", "4天前" if chinese else "4 days ago"),
        ("HX-2026-000413", "old", "12天前" if chinese else "12 days ago"),
        ("XSS-1", "never", ""),
    ):
        mark = page.locator(f"[data-focus='case-{case_id}'] [data-age]")
        await expect(mark).to_have_attribute("data-age", band)
        await expect(mark).to_contain_text(words)
        colours.add(await mark.locator(".dot").evaluate("dot => getComputedStyle(dot).color"))
    assert len(colours) == 3  # never and long ago are one
