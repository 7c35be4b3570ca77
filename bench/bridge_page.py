"""A click in a CRM's page to Originate on the wire, beside the same call asked for by a program; and an AMI event to a page.

The page is one of another origin in Chromium, with the bundle and a widget's token; a relay before AMI notes when bytes pass.
For the second, 500 collectors' streams are open: from the Hangup that ends a call to the `call.ended` in its collector's stream,
which includes asking the PBX what it wrote down; beside a bare aiohttp server that hands a line it gets to one of 500 streams.

    ringfence bench bridge_page
    .venv/bin/python -m bench.bridge_page 20      # fewer of each
"""

import asyncio
import os
import re
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from playwright.async_api import Page

from bench.bare_stream import bare_stream
from bench.dial_path import PHONE, Relay, _ended, _line
from bench.service import Prepared, prepare, running_service
from config import clock
from config.database import Database
from crm_bridge.demo.floor import free_port
from crm_bridge.demo.lab import Lab
from crm_bridge.people import credentials, users
from tests.support.browser import chromium

SIZE = 60
WARM_UP = 5
STREAMS = 500
HANGUP = re.compile(rb"Event: Hangup\r\n(?:[^\r]+\r\n)*?Uniqueid: (\S+)\r\n")
OFFERED = """(id) => CallBridge.call?.id === id && CallBridge.call.state === "ended"
  && !document.querySelector("call-bar").shadowRoot.querySelector("call-panel").busy
  && document.querySelector("call-link").shadowRoot.querySelector("[aria-disabled=false]")"""
CLICK = """() => new Promise((resolve, reject) => {
  const known = CallBridge.call?.id;
  let at = 0;
  const off = CallBridge.on("call", (call) => { if (call && call.id !== known) { off(); resolve([at, call.id]); } });
  CallBridge.on("refused", (why) => reject(new Error(why.detail)));
  at = performance.timeOrigin + performance.now();
  document.querySelector("call-link").shadowRoot.querySelector("button").click();
})"""


class EndingRelay(Relay):
    """Notes when Hangups pass, too."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.ended: dict[str, float] = {}
        self.from_pbx.append((HANGUP, self.ended))


@asynccontextmanager
async def _page(prepared: Prepared, port: int) -> AsyncIterator[Page]:
    """A page of another origin that holds a live call bar and one number."""
    service = f"http://127.0.0.1:{prepared.port}"
    origin = f"http://localhost:{port}"
    async with aiohttp.ClientSession(service, headers={"Authorization": f"Bearer {prepared.tokens['crm']}"}) as crm:
        body = {"agent": "collector", "origin": origin, "seconds": 3600}
        async with crm.post("/v1/widget-tokens", json=body) as answer:
            token = (await answer.json())["token"]
    html = (
        f'<!doctype html><title>CRM</title><script src="{service}/embed/bridge.js"></script><call-bar></call-bar>'
        '<call-link number="+8613800138002" case="bench" party="bench-person"></call-link>'
    )

    async def serve(_: web.BaseRequest) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with chromium() as browser:
            page = await browser.new_page()
            await page.goto(origin)
            await page.evaluate("(token) => CallBridge.init({ token }).then(() => null)", token)
            yield page
    finally:
        await runner.cleanup()


async def _raw_click(http: aiohttp.ClientSession) -> tuple[float, str]:
    body = {"case_id": "bench", "party_id": "bench-person", "number": "+8613800138002"}
    began = time.perf_counter()
    async with http.post("/v1/calls", json=body, headers={"Idempotency-Key": secrets.token_hex(8)}) as answer:
        document = await answer.json()
        if answer.status != 201:
            raise RuntimeError(f"the click was refused: {document}")
    return began, document["id"]


async def _clicks(page: Page, http: aiohttp.ClientSession, relay: EndingRelay, size: int) -> None:
    apart = time.time() - time.perf_counter()
    raw: list[float] = []
    ours: list[float] = []
    for _ in range(WARM_UP + size):
        began, call_id = await _raw_click(http)
        await relay.wait_made(call_id)
        raw.append(relay.sent[call_id] - began)
        await _ended(http)
        # The page hears of it a moment later, and offers no call before.
        await page.wait_for_function(OFFERED, arg=call_id)
        at, call_id = await page.evaluate(CLICK)
        await relay.wait_made(call_id)
        ours.append(relay.sent[call_id] + apart - at / 1000)
        await _ended(http)
        await page.wait_for_function(OFFERED, arg=call_id)
    print(_line("click to the wire", raw[WARM_UP:], ours[WARM_UP:]), flush=True)


async def _hire_crm(prepared: Prepared, count: int) -> list[str]:
    """The CRM's user, and the tokens of so many collectors more, the first that of the bench's own."""
    database = Database(prepared.database_url)
    tokens = [prepared.tokens["collector"]]
    async with database.write() as transaction:
        for index in range(count):
            name, role = (f"c{index}", "collector") if index else ("crm", "crm")
            await users.add_user(
                transaction, users.read_new({"name": name, "role": role}), actor="bench", now=clock.now()
            )
            _, token = await credentials.create_token(
                transaction, name, label="bench", expires_at=None, actor="bench", now=clock.now()
            )
            tokens.append(token)
    await database.close()
    prepared.tokens["crm"] = tokens.pop(1)
    return tokens


class Heard:
    """When the end of each call was told in a stream."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._news = asyncio.Event()

    def note(self, call_id: str, now: float) -> None:
        """The first time counts."""
        self._at.setdefault(call_id, now)
        self._news.set()

    async def of(self, call_id: str) -> float:
        """Wait for it."""
        async with asyncio.timeout(30):
            while call_id not in self._at:
                self._news.clear()
                await self._news.wait()
        return self._at[call_id]


async def _follow(http: aiohttp.ClientSession, path: str, token: str, heard: Heard, opened: asyncio.Semaphore) -> None:
    """Read one stream for ever, and note when the end of each call is told."""
    async with http.get(path, headers={"Authorization": f"Bearer {token}"}) as answer:
        opened.release()
        kind = ""
        async for line in answer.content:
            now = time.perf_counter()
            if line.startswith(b"event: "):
                kind = line[7:].strip().decode()
            elif line.startswith(b"data: ") and kind == "call.ended":
                found = re.search(rb'"call_id": ?"([^"]+)"', line)
                if found:
                    heard.note(found[1].decode(), now)


@asynccontextmanager
async def _streams(base: str, path: str, tokens: list[str]) -> AsyncIterator[Heard]:
    """So many open streams; when each call's end was heard."""
    heard = Heard()
    opened = asyncio.Semaphore(0)
    endless = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(limit=0), timeout=endless) as http:
        tasks = [asyncio.create_task(_follow(http, path, token, heard, opened)) for token in tokens]
        try:
            async with asyncio.timeout(120):
                for _ in tasks:
                    await opened.acquire()
            yield heard
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _endings(
    prepared: Prepared, http: aiohttp.ClientSession, relay: EndingRelay, tokens: list[str], size: int
) -> None:
    bare: list[float] = []
    async with bare_stream() as (port, tell), _streams(f"http://127.0.0.1:{port}", "/", ["x"] * len(tokens)) as heard:
        for _ in range(size):
            name = secrets.token_hex(8)
            began = time.perf_counter()
            tell(name)
            bare.append(await heard.of(name) - began)
            await asyncio.sleep(0.05)
    ours: list[float] = []
    async with _streams(f"http://127.0.0.1:{prepared.port}", "/v1/events", tokens) as heard:
        for _ in range(size):
            await _ended(http)
            _, call_id = await _raw_click(http)
            ours.append(await heard.of(call_id) - relay.ended[call_id])
    print(_line(f"ending, {len(tokens)} streams", bare, ours), flush=True)


async def main() -> None:
    """Both."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    crm_port = free_port()
    os.environ["RINGFENCE_EMBED__ORIGINS"] = f'["http://localhost:{crm_port}"]'
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(Lab(print))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringfence-bench-")))
        relay = EndingRelay(lab.pbx.ami_port)
        ami_port = await stack.enter_async_context(relay.listening())
        prepared = await prepare(lab, folder, ami_port=ami_port, extension=PHONE)
        tokens = await _hire_crm(prepared, STREAMS)
        running = await stack.enter_async_context(running_service(prepared))
        print("SQLite, milliseconds")
        print(f"  {'':<24}{'raw p50':>9}{'raw p99':>9}{'ours p50':>9}{'ours p99':>9}{'ratio':>10}")
        async with _page(prepared, crm_port) as page:
            await _clicks(page, running.http, relay, size)
        await _endings(prepared, running.http, relay, tokens, size)


if __name__ == "__main__":
    asyncio.run(main())
