"""The pages people see (`page_table.py` lists them), the log-in, and what they load.

A page is a shell without data, so anyone may load it. Its modules (`static/*.js`) fetch what is shown from `/v1` with the
browser's session, which decides who sees what; without one they lead to the log-in.
"""

from functools import partial
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from crm_bridge.web import keys
from crm_bridge.web.page_table import GROUPS, PAGES, Page
from crm_bridge.web.translations import FOLDER as LOCALES
from crm_bridge.web.translations import LANGUAGES, preferred_language, translate
from telephony.policy import packs

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "ringfence_language"


def setup_pages(app: web.Application) -> None:
    """Mount the pages and, under `/static`, what they load. All of it needs no log-in."""
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app.router.add_get("/login", login)
    app.router.add_get("/password", password)
    for page in PAGES:
        for address in (page.address, *page.also):
            app.router.add_get(address, partial(_page, page))
    app.router.add_get("/static/rules.json", rules)
    app.router.add_static("/static/locales", LOCALES)
    app.router.add_static("/static", HERE / "static")


async def login(request: web.Request) -> web.Response:
    """The log-in page."""
    return _shell("login.html", request)


async def password(request: web.Request) -> web.Response:
    """The page on which a password is changed."""
    return _shell("password.html", request)


async def _page(page: Page, request: web.Request) -> web.Response:
    here = [one for one in PAGES if one.group == page.group]
    return _shell(page.template, request, page=page, pages=PAGES, groups=GROUPS, here=here)


async def rules(request: web.Request) -> web.Response:
    """The words of every rule shipped, `{"pack/name": {"en", "zh"}}`, so that the desk names a rule as its pack does."""
    words = {f"{pack.id}/{rule.name}": rule.text.model_dump() for pack in packs.available() for rule in pack.rules}
    return web.json_response(words, headers={"Cache-Control": "no-cache"})


def _shell(template: str, request: web.Request, **places: Any) -> web.Response:
    chosen, asked = request.cookies.get(LANGUAGE_COOKIE), request.headers.get("Accept-Language", "")
    language = preferred_language(chosen, asked)
    settings = request.app.get(keys.SETTINGS)
    hold_warn = settings.live_calls.hold_warn_seconds if settings else ""
    context = {
        "hold_warn": hold_warn,
        "language": language,
        "languages": LANGUAGES,
        "t": partial(translate, language),
        **places,
    }
    response = aiohttp_jinja2.render_template(template, request, context)
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response
