"""What the server gives for a page: the language asked for, headers, every file that it names."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from crm_bridge.web.page_table import PAGES
from crm_bridge.web.translations import preferred_language
from tests.support.desk_api import CannedDesk, canned_app

Client = TestClient[web.Request, web.Application]
ADDRESSES = ["/login", "/password", "/cases/C-1", *(page.address for page in PAGES)]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(canned_app(CannedDesk()))) as served:
        yield served


@pytest.mark.parametrize(
    ("chosen", "asked", "language"),
    [
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en-GB,en;q=0.9,zh;q=0.8", "en"),
        (None, "fr-FR,zh;q=0.5,en;q=0.4", "zh"),
        (None, "zh;q=0, en;q=0.1", "en"),
        (None, "zh;q=nonsense", "en"),
        (None, "", "en"),
        ("zh", "en", "zh"),
        ("<script>", "zh-Hant-TW", "zh"),
    ],
)
def test_the_language_is_the_one_chosen_before_or_else_asked_for(chosen: str | None, asked: str, language: str) -> None:
    assert preferred_language(chosen, asked) == language


@pytest.mark.parametrize("path", ADDRESSES)
async def test_every_file_that_a_page_names_is_there(client: Client, path: str) -> None:
    text = await (await client.get(path)).text()
    named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))
    assert named
    for file in named:
        assert (await client.get(file)).status == 200


@pytest.mark.parametrize("path", ADDRESSES)
async def test_a_page_holds_no_inline_script_or_style(client: Client, path: str) -> None:
    response = await client.get(path)
    text = await response.text()
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert not re.search(r"<style|<script(?![^>]*src=)|\sstyle=|\son[a-z]+=", text)


async def test_a_page_is_never_taken_from_another_readers_cache(client: Client) -> None:
    response = await client.get("/", headers={"Accept-Language": "zh"})
    assert response.headers["Cache-Control"] == "no-store"
    assert '<html lang="zh-CN"' in await response.text()


async def test_the_rules_are_named_in_both_languages_as_in_their_packs(client: Client) -> None:
    rules = await (await client.get("/static/rules.json")).json()
    assert rules["house/do-not-call"]["zh"]
    assert all(words["en"] and words["zh"] for words in rules.values())
