"""A floor with a CRM beside it: the example of examples/crm on an origin of its own, in a browser, with real phones behind it."""

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from config.settings import Embed
from crm_bridge.demo.lab import Lab
from tests.support.browser import DESKTOP
from tests.support.callers import Callers, opened_to_callers
from tests.support.floor import (
    Floor,
    floor_settings,
    free_port,
    furnish,
    hire,
    migrated,
    open_floor,
    prepare_pbx,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "crm" / "server.py"
FRAMED = """<!doctype html><title>CRM</title>
<iframe src="SERVICE/embed/frame?origin=ORIGIN" style="width:420px;height:600px"></iframe>
<script>
  const there = "SERVICE", frame = document.querySelector("iframe");
  window.told = []; window.answers = {};
  const myToken = async () => (await fetch("/token", { method: "POST" })).json();
  addEventListener("message", async ({ origin, source, data }) => {
    if (origin !== there || source !== frame.contentWindow) return;
    const send = (message) => source.postMessage(message, there);
    if (data.callbridge === "loaded") send({ callbridge: "init", options: { ...(await myToken()), language: "en" } });
    if (data.callbridge === "token-needed") send({ callbridge: "token", ...(await myToken()) });
    if (data.callbridge === "answer") window.answers[data.id] = data;
    if (data.callbridge === "event") window.told.push(data);
  });
</script>"""
"""A CRM's page that can only show an iframe. It is served, since browsers keep a page without an address out of this machine."""
HIDDEN_BY_BROWSERS = ("Failed to load resource", "blocked by CORS policy", "frame-ancestors")


@dataclass(frozen=True)
class CrmFloor:
    """The floor, the CRM's server, and where its pages are: another host's name, another port."""

    floor: Floor
    crm: Any
    origin: str
    foreign: str
    """An origin that is not on the list, with the same pages."""

    async def mint(self, status: int = 201, **changes: Any) -> dict[str, Any]:
        """A widget's token, as the CRM's server asks for it."""
        body = {"agent": "collector", "origin": self.origin, **changes}
        document: dict[str, Any] = await self.floor.expect(status, "POST", "/v1/widget-tokens", user="crm", body=body)
        return document


def example() -> ModuleType:
    """The example's module; it is no part of the package."""
    spec = importlib.util.spec_from_file_location("example_crm", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def serving(app: web.Application, ports: Sequence[int]) -> AsyncIterator[None]:
    """An application on these ports of this machine."""
    runner = web.AppRunner(app)
    await runner.setup()
    for port in ports:
        await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def crm_floor(lab: Lab, tmp_path: Path, gate_port: int) -> AsyncIterator[CrmFloor]:
    """A furnished floor on SQLite, and the CRM beside it."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    port, foreign = free_port(), free_port()
    origin = f"http://localhost:{port}"
    settings = floor_settings(lab, tmp_path, gate_port, url).model_copy(update={"embed": Embed(origins=[origin])})
    database = await migrated(url)
    tokens = await hire(database)
    await database.close()
    await prepare_pbx(settings)
    async with open_floor(lab, settings, tokens) as floor:
        await furnish(floor)
        crm = example().Crm(floor.base, tokens["crm"], "collector", "anytime")
        app, html = crm.app(), FRAMED.replace("SERVICE", floor.base).replace("ORIGIN", origin)
        app.router.add_get("/framed", partial(_framed, html))
        async with serving(app, (port, foreign)):
            yield CrmFloor(floor, crm, origin, f"http://localhost:{foreign}")


async def _framed(html: str, _request: web.Request) -> web.Response:
    return web.Response(text=html, content_type="text/html")


@pytest.fixture
async def crm_callers(crm_floor: CrmFloor) -> AsyncIterator[Callers]:
    """The same, and customers call in."""
    async for opened in opened_to_callers(crm_floor.floor):
        yield opened


@asynccontextmanager
async def at_the_crm(
    browser: Browser, origin: str, *, locale: str = "en-GB", dark: bool = False
) -> AsyncIterator[Page]:
    """A page of somebody new at the CRM; the test fails if a script of the page failed."""
    context = await browser.new_context(
        base_url=origin,
        locale=locale,
        viewport=DESKTOP,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    page.set_default_timeout(30_000)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
    page.on("console", lambda message: _note(troubles, message))
    try:
        yield page
    finally:
        await context.close()
    assert not troubles, troubles


def _note(troubles: list[str], message: Any) -> None:
    if message.type == "error" and not any(words in message.text for words in HIDDEN_BY_BROWSERS):
        troubles.append(message.text)


async def until_true(page: Page, expression: str) -> None:
    """Poll an expression in a page. Its policy forbids `eval`, which Playwright's own waiting needs from the second look on."""
    deadline = time.monotonic() + 60
    while not await page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        await asyncio.sleep(0.1)


async def until_live(page: Page) -> None:
    """Wait until the page's bridge knows who calls, and its bar shows it."""
    await expect(page.locator("call-bar")).to_have_attribute("data-state", "ready", timeout=30_000)
