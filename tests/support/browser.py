"""Debian's Chromium, driven by Playwright: one process for a run, a context of its own a test, axe-core beside it.

Tests that use it run on the session's event loop: `pytestmark = pytest.mark.asyncio(loop_scope="session")`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

expect.set_options(timeout=15_000)  # milliseconds; only a failing test waits so long
CHROMIUM = Path(
    "/usr/bin/chromium-headless-shell"
)  # opens a page three times as fast as the whole browser without a screen
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
)
DESKTOP = ViewportSize(width=1280, height=720)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A running browser. Raises RuntimeError where Debian's package `chromium-headless-shell` is not installed."""
    if not CHROMIUM.exists():
        raise RuntimeError(
            f"{CHROMIUM} is missing: install Debian's packages chromium-headless-shell and fonts-noto-cjk"
        )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def reader(
    browser: Browser, origin: str, *, locale: str = "en-GB", zone: str = "Asia/Shanghai", dark: bool = False
) -> AsyncIterator[Page]:
    """A page of somebody new at `origin`; the test fails if the page logged an error, or asked another origin for anything."""
    context: BrowserContext = await browser.new_context(
        base_url=origin,
        locale=locale,
        timezone_id=zone,
        viewport=DESKTOP,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    page.set_default_timeout(30_000)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("console", lambda message: _note_message(troubles, message))
    page.on("request", lambda request: _note_stranger(troubles, origin, request.url))
    try:
        yield page
    finally:
        await context.close()
    assert not troubles, troubles


def _note_message(troubles: list[str], message: Any) -> None:
    # Chromium logs every answer >= 400 and every lost connection; tests cause those on purpose.
    if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
        troubles.append(f"{message.type}: {message.text}")


def _note_stranger(troubles: list[str], origin: str, url: str) -> None:
    if not url.startswith((origin, "blob:", "data:")):
        troubles.append(f"asked for {url}")


async def log_in(page: Page, name: str, password: str) -> None:
    """Fill in the log-in form that the page shows or is on its way to, and press Enter once somebody listens."""
    await page.fill("#name", name)
    await page.fill("#password", password)
    await expect(page.locator("#login [type=submit]")).to_be_enabled()
    await page.press("#password", "Enter")


async def axe_findings(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is shown now, one line a finding."""
    # Added by the debugger, not by the page: its content security policy does not apply to it.
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE.read_text(encoding="utf-8") + "\n;0")
    result = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']} ({violation['impact']}): {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
