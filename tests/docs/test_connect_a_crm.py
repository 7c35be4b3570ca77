"""Every message of docs/connect-a-crm.md is sent as it stands there, and answered as it says."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from config.settings import Archive, DatabaseSettings, Embed, Keys, Pbx, Policy, Settings
from crm_bridge.app import build, make_app
from crm_bridge.cases.facts import case_facts
from crm_bridge.web import keys
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Gathering
from tests.support.api import Service
from tests.support.databases import create_tables

DOCUMENT = Path("docs/connect-a-crm.md")
MESSAGE = re.compile(
    r"^    (GET|PUT|POST) (/v1/\S+) *(\(admin\))?\n((?:     ?\{?.*\n)*?)    -> (\d{3}) (.*)$", re.MULTILINE
)
ALWAYS = {"packs": ["house"], "house": {}, "zone": "Asia/Shanghai"}


@dataclass(frozen=True)
class Message:
    """A request as the document has it, and the answer that it promises."""

    method: str
    path: str
    user: str
    body: Any
    status: int
    answer: Any


def messages(text: str) -> Iterator[Message]:
    """In the order of the document. `…` in an answer stands for more members, or for the rest of a text."""
    for method, path, admin, body, status, answer in MESSAGE.findall(text):
        told = re.sub(r",\s*…(?=[}\]])", "", answer)
        yield Message(
            method, path, "root" if admin else "crm", json.loads(body) if body else None, int(status), json.loads(told)
        )


def differs(told: Any, got: Any, where: str = "") -> list[str]:
    """Where an answer is not what the document says of it."""
    if isinstance(told, dict):
        missing = [f"{where}.{name} is missing" for name in told if name not in got]
        return missing + [
            at for name in told if name in got for at in differs(told[name], got[name], f"{where}.{name}")
        ]
    if isinstance(told, list):
        longer = [] if len(told) == len(got) else [f"{where} has {len(got)}"]
        return longer + [at for n, one in enumerate(told[: len(got)]) for at in differs(one, got[n], f"{where}[{n}]")]
    if isinstance(told, str) and "…" in told:
        return [] if str(got).startswith(told.partition("…")[0]) and got else [f"{where} is {got!r}"]
    return [] if told == got else [f"{where} is {got!r}"]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """The whole API as the document presumes it; nothing runs in the background."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    await create_tables(url)
    settings = Settings(
        database=DatabaseSettings(url=url),
        pbx=[Pbx(name="main", username="ringfence", secret=SecretStr("secret"))],
        archive=Archive(url=f"file://{tmp_path / 'archive'}"),
        keys=Keys(master=tmp_path / "keys" / "master.key"),
        embed=Embed(origins=["https://crm.example.com"]),
    )
    services = build(settings)
    app = make_app(services)
    app.cleanup_ctx.clear()
    decider = Decider(Gathering(case_facts, Policy(), recorder_healthy=lambda: True))
    app[keys.DECIDER], app[keys.DIALER] = decider, replace(app[keys.DIALER], decider=decider)
    async with TestClient[web.Request, web.Application](TestServer(app)) as client:
        made = Service(services.database, client)
        await made.add("root", "admin")
        await made.add("crm", "crm", clients=["bank"])
        await made.add("li.na", "collector", extension="1001", clients=["bank"])
        await made.put("/v1/policies/bank", "root", ALWAYS, 201)
        yield made
    await services.database.close()


async def test_every_message_of_the_document_is_answered_as_it_says(service: Service) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    said = list(messages(text))
    assert len(said) == len(re.findall(r"^    -> \d", text, re.MULTILINE))
    for message in said:
        answer = await service.ask(message.method, message.path, message.user, json=message.body)
        got = await answer.json(content_type=None)
        assert answer.status == message.status, (message.path, got)
        assert differs(message.answer, got) == [], (message.path, got)
