"""What a CRM's page loads from here: the bundle with the call bar, and a page for CRMs that can only show an iframe."""

import hashlib
from functools import partial
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from pydantic import BaseModel, Field

from config.errors import Unauthorized
from crm_bridge.web import keys
from crm_bridge.web.api import PUBLIC, Api, Media, Query
from crm_bridge.web.bundle import bundle
from crm_bridge.web.embed_scope import OriginNotAllowed
from crm_bridge.web.translations import translate

api = Api("embedding")

ANYWHERE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""For what holds no data: a script that anybody may read, and whether a page is on the list."""


class FrameQuery(Query):
    """Whose frame it is."""

    origin: str = Field(max_length=255, description="the page around the frame: https://crm.example.com")


class OriginOut(BaseModel):
    """Whether pages of the asking origin may use this service."""

    origin: str | None
    allowed: bool


@api.operation(
    "GET",
    "/embed/bridge.js",
    roles=PUBLIC,
    answers={200: Media("text/javascript")},
    summary="The call bar for a CRM's page: <call-bar>, <call-link>, window.CallBridge",
)
async def bridge(request: web.Request) -> web.Response:
    """One script without a framework, with both languages; it works as a classic script and as a module."""
    return _script(request, "embed/bridge.js")


@api.operation(
    "GET",
    "/embed/frame.js",
    roles=PUBLIC,
    answers={200: Media("text/javascript")},
    summary="The script of /embed/frame",
)
async def frame_script(request: web.Request) -> web.Response:
    """The same bundle, and the messages with the page around it."""
    return _script(request, "embed/frame.js")


def _script(request: web.Request, entry: str) -> web.Response:
    text = bundle(entry)
    tag = hashlib.sha256(text.encode()).hexdigest()[:32]
    headers = {**ANYWHERE, "ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    response = web.Response(text=text, content_type="text/javascript", charset="utf-8", headers=headers)
    response.enable_compression()
    return response


@api.operation(
    "GET", "/embed/origin", roles=PUBLIC, answers={200: OriginOut}, summary="May a page of this origin use the service"
)
async def origin(request: web.Request) -> web.Response:
    """So that the call bar can say why nothing works: a browser hides the refusal itself from the page."""
    asking = request.headers.get("Origin")
    answer = OriginOut(origin=asking, allowed=asking in request.app[keys.SETTINGS].embed.origins)
    headers = {**ANYWHERE, "Vary": "Origin"}
    return web.Response(text=answer.model_dump_json(), content_type="application/json", headers=headers)


@api.operation(
    "GET",
    "/embed/frame",
    roles=PUBLIC,
    query=FrameQuery,
    answers={200: Media("text/html")},
    problems=(OriginNotAllowed, Unauthorized),
    summary="The call bar as a page, for an iframe",
)
async def frame(request: web.Request, query: FrameQuery) -> web.Response:
    """Only pages of that origin may show it, and it takes and sends messages of that origin alone."""
    if query.origin not in request.app[keys.SETTINGS].embed.origins:
        raise OriginNotAllowed(f"pages of {query.origin} may not use this service: it is not among [embed] origins")
    context: dict[str, Any] = {"origin": query.origin, "t": partial(translate, "en")}
    response = aiohttp_jinja2.render_template("embed_frame.html", request, context)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; style-src 'self'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors {query.origin}"
    )
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
