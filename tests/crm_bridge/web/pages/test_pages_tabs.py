"""Our own pages run on the bundle's code: the same modules, and one live stream for all tabs of a user."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from crm_bridge.web.bundle import IMPORT, STATIC
from tests.support.sitting import Sitting


@pytest.mark.asyncio(loop_scope="session")
async def test_our_tabs_share_one_stream_and_the_next_takes_over(sitting: Sitting) -> None:
    page = await sitting.open_case()
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator("#stream-state")).to_have_attribute("data-state", "open")
    call = await sitting.call()
    await expect(other.locator("call-bar")).to_have_attribute("data-state", "calling_agent")
    late = await page.context.new_page()
    await late.goto(page.url)
    await expect(late.locator("call-bar")).to_have_attribute("data-state", "calling_agent")
    assert len(sitting.desk.streams) == 1
    await late.close()
    async with other.expect_response("**/v1/events"):
        await page.close()
    await sitting.desk.move(call, "connected")
    await expect(other.locator("call-bar")).to_have_attribute("data-state", "connected")


def _loaded(path: Path, found: set[str]) -> set[str]:
    """A module and all that it imports, by path below static/."""
    name = str(path.relative_to(STATIC.resolve()))
    if name not in found:
        found.add(name)
        for imported in IMPORT.finditer(path.read_text(encoding="utf-8")):
            _loaded((path.parent / imported[2]).resolve(), found)
    return found


def test_the_bundle_is_made_of_what_our_desk_runs() -> None:
    bundled = _loaded((STATIC / "embed/bridge.js").resolve(), set())
    own = _loaded((STATIC / "desk.js").resolve(), set())
    assert bundled - own == {"embed/bridge.js", "embed/client.js", "embed/elements.js"}
