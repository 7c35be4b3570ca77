"""`GET /v1/events`: what happens, as server-sent events (WHATWG HTML, EventSource); each role sees only what is its own."""

import json
from contextlib import suppress
from datetime import timedelta

from aiohttp import web
from aiohttp_sse import sse_response

from config import clock
from config.errors import Invalid
from crm_bridge.embed import widget_tokens
from crm_bridge.people import scope
from crm_bridge.people.users import User
from crm_bridge.web import keys
from crm_bridge.web.api import EVERYONE, Api, Media
from crm_bridge.web.dispatch import user_of
from crm_bridge.web.shown import redacted

api = Api("events")


def _last_seen(request: web.Request) -> int | None:
    given = request.headers.get("Last-Event-ID") or request.query.get("last_event_id")
    if not given:
        return None
    if not given.isdigit():
        raise Invalid(
            "Last-Event-ID must be the id of an event", [{"field": "Last-Event-ID", "message": "must be a number"}]
        )
    return int(given)


LOOK = timedelta(seconds=5)
"""How often at most a stream asks whether its widget's token was revoked; that it has expired is known at once."""


class _Leave:
    """Whether a stream may go on: a widget's token ends its streams before the first event after its own end."""

    def __init__(self, request: web.Request) -> None:
        self._database, self._credential = request.app[keys.DATABASE], request[keys.CREDENTIAL]
        self._looked = clock.now()

    async def lasts(self) -> bool:
        """Asked before each event and at each beat."""
        if self._credential.kind != "widget":
            return True
        now = clock.now()
        if self._credential.expires_at is not None and self._credential.expires_at <= now:
            return False
        if now - self._looked < LOOK:
            return True
        self._looked = now
        async with self._database.read() as connection:
            return await widget_tokens.is_good(connection, self._credential.id, now)


@api.operation(
    "GET",
    "/v1/events",
    roles=EVERYONE,
    headers={"Last-Event-ID": "the last event seen; what was missed since comes first"},
    answers={200: Media("text/event-stream")},
    summary="What happens, as it happens",
)
async def events(request: web.Request) -> web.StreamResponse:
    """An endless stream; it ends when the service stops or the reader is too slow, and then the reader comes back."""
    user: User = user_of(request)
    after = _last_seen(request)
    async with request.app[keys.DATABASE].read() as connection:
        team = await scope.team_members(connection, user)
    if request.transport is None:
        raise ConnectionResetError("the reader went away while it was looked up")  # no defect: nobody is told
    leave = _Leave(request)
    async with sse_response(request) as stream:
        async for entry in request.app[keys.LIVE].entries(after, lambda entry: scope.entry_seen_by(user, team, entry)):
            if not stream.is_connected() or not await leave.lasts():
                break
            if entry is not None:
                shown = await redacted(request, json.dumps(entry.document()).encode())
                with suppress(ConnectionError):  # the page was closed: the next look ends the stream
                    await stream.send(shown.decode(), event=entry.kind, id=str(entry.id))
    return stream
