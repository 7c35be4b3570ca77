"""`GET /compat/abcti`: the click of a CRM that can only call a URL, as Crème CRM's CTI does.

An address is repeated by reloads, fetched ahead by browsers and written down by proxies. So its token may be one that is good
for this alone, and one collector and number give one call within `[embed] url_click_seconds`, and while that call lives.
"""

from datetime import timedelta
from typing import Any

from aiohttp import web
from pydantic import ConfigDict, Field

from config import clock
from config.errors import Fault, Forbidden, Unauthorized
from config.identifiers import new_id
from crm_bridge.click import Clicked
from crm_bridge.embed.number_clicks import call_lately
from crm_bridge.people import credentials
from crm_bridge.people.users import User
from crm_bridge.web import keys
from crm_bridge.web.api import PUBLIC, Api, Media, Query
from crm_bridge.web.calls import CALLERS, DIAL_PROBLEMS, PolicyDenied
from crm_bridge.web.number_clicks import dial_number
from crm_bridge.web.translations import translate
from telephony.dialling.phones import AgentBusy
from telephony.numbers import normalise

api = Api("embedding")

AHEAD = ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz")
HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


class UrlClick(Query):
    """What the CRM puts into the address; whatever else it adds is passed over."""

    model_config = ConfigDict(extra="ignore")

    token: str = Field(max_length=200, description="the collector's, best one made with `only: url-click`")
    n_tel: str = Field(min_length=3, max_length=40, description="the number as it stands in the CRM")


@api.operation(
    "GET",
    "/compat/abcti",
    roles=PUBLIC,
    query=UrlClick,
    answers={200: Media("text/plain")},
    problems=(Unauthorized, Forbidden, *DIAL_PROBLEMS),
    summary="Call a number by calling an address (Crème CRM's CTI)",
)
async def abcti(request: web.Request, query: UrlClick) -> web.Response:
    """Who the collector is says the token. The answer, also a refusal's, is a line of text in the collector's language."""
    if any("prefetch" in request.headers.get(name, "") or "preview" in request.headers.get(name, "") for name in AHEAD):
        return _text(503, "Fetched ahead: nobody is called. 预取请求不会拨号。")
    try:
        user = await _collector(request, query.token)
        return await _call(request, user, query.n_tel)
    except Fault as fault:
        return _text(fault.status, fault.detail)


async def _collector(request: web.Request, secret: str) -> User:
    kind = "click" if secret.startswith(credentials.CLICK_PREFIX) else "token"
    async with request.app[keys.DATABASE].read() as connection:
        _, user = await credentials.resolve(connection, secret, kind, clock.now())
    if user.role not in CALLERS:
        raise Forbidden(f"{user.name} is no collector and places no calls")
    return user


async def _call(request: web.Request, user: User, written: str) -> web.Response:
    number = normalise(written, request.app[keys.SETTINGS].policy.region)
    if await _made_already(request, user, number):
        return _text(200, translate(user.language, "url_click.already").replace("{number}", number))
    try:
        clicked = await dial_number(request, user, number, "collect", f"url-click-{new_id(clock.now())}")
    except AgentBusy:
        # The same click, a moment earlier: its call is why the phone is busy.
        if not await _made_already(request, user, number):
            raise
        return _text(200, translate(user.language, "url_click.already").replace("{number}", number))
    return _answer(user, number, clicked)


async def _made_already(request: web.Request, user: User, number: str) -> bool:
    window = timedelta(seconds=request.app[keys.SETTINGS].embed.url_click_seconds)
    async with request.app[keys.DATABASE].read() as connection:
        return await call_lately(connection, user.name, number, clock.now() - window) is not None


def _answer(user: User, number: str, clicked: Clicked) -> web.Response:
    if clicked.status == 201:
        return _text(200, translate(user.language, "url_click.calling").replace("{number}", number))
    document = clicked.document
    if clicked.status != PolicyDenied.status:
        return _text(clicked.status, str(document["detail"]))
    reason = _reason(user.language, document)
    until = str(document.get("retry_at") or "")
    key = "url_click.denied_until" if until else "url_click.denied"
    text = translate(user.language, key).replace("{number}", number).replace("{reason}", reason)
    return _text(clicked.status, text.replace("{until}", until))


def _reason(language: str, document: dict[str, Any]) -> str:
    in_chinese = (document.get("reasons") or {}).get("zh") or document.get("reason_zh")
    return str(in_chinese if language == "zh" and in_chinese else document["reason"])


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=HEADERS)
