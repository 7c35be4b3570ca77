"""The pages people see: the log-in, the collector's desk, and the replay desk with incidents and retention.

A page is a shell without data, so anyone may load it. Its modules (`static/*.js`) fetch what is shown from `/v1` with the
browser's session, which decides who sees what; without one they lead to the log-in.
"""

from functools import partial
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

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
    app.router.add_get("/", desk)
    app.router.add_get("/cases/{case_id}", desk)
    app.router.add_get("/qa", replay)
    app.router.add_get("/qa/calls/{call_id}", replay)
    app.router.add_get("/qa/incidents", incidents)
    app.router.add_get("/retention", retention)
    app.router.add_get("/admin/policies", policies)
    app.router.add_get("/static/rules.json", rules)
    app.router.add_static("/static/locales", LOCALES)
    app.router.add_static("/static", HERE / "static")


async def login(request: web.Request) -> web.Response:
    """The log-in page."""
    return _shell("login.html", request)


async def desk(request: web.Request) -> web.Response:
    """The desk: my cases, one case (at an address of its own), the call. Who is no collector sees it without the phone."""
    return _shell("desk.html", request)


async def replay(request: web.Request) -> web.Response:
    """The replay desk: finding recorded calls and listening to them; a call has an address of its own."""
    return _shell("replay.html", request)


async def incidents(request: web.Request) -> web.Response:
    """What is in doubt about recordings, and closing it."""
    return _shell("incidents.html", request)


async def retention(request: web.Request) -> web.Response:
    """What will be deleted when, what is held, and the classes that say so."""
    return _shell("retention.html", request)


async def policies(request: web.Request) -> web.Response:
    """Which rules apply to which client, what a change would have done, and what-if."""
    return _shell("policies.html", request)


async def rules(request: web.Request) -> web.Response:
    """The words of every rule shipped, `{"pack/name": {"en", "zh"}}`, so that the desk names a rule as its pack does."""
    words = {f"{pack.id}/{rule.name}": rule.text.model_dump() for pack in packs.available() for rule in pack.rules}
    return web.json_response(words, headers={"Cache-Control": "no-cache"})


def _shell(template: str, request: web.Request) -> web.Response:
    chosen, asked = request.cookies.get(LANGUAGE_COOKIE), request.headers.get("Accept-Language", "")
    language = preferred_language(chosen, asked)
    context = {"language": language, "languages": LANGUAGES, "t": partial(translate, language)}
    response = aiohttp_jinja2.render_template(template, request, context)
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response
