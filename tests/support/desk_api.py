"""A stand-in for the service behind the desk: canned cases, calls that a test moves by hand, and faults on demand.

It speaks the contract's HTTP over a real socket, so that the pages can be shown every state of a call, an answer that
never comes, or a stream that breaks, without a telephone.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from crm_bridge.people.users import User
from crm_bridge.web import keys, middleware, pages
from tests.support import desk_people_api
from tests.support.desk_cases import canned_cases

PASSWORD = "correct horse"
COOKIE = "canned_session"
MOMENTS = ("calling_agent_at", "calling_customer_at", "alerted_at", "connected_at", "unknown_at", "ended_at")
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _now() -> datetime:
    return datetime.now(UTC)


class CannedDesk:
    """The state of the stand-in. `placed` lists every POST /v1/calls as (Idempotency-Key, body)."""

    def __init__(self) -> None:
        self.users = {
            "li.na": User("li.na", "collector", "1001", "main", "north", (), "en"),
            "wang.fang": User("wang.fang", "collector", "1002", "main", "north", (), "zh"),
            "no.phone": User("no.phone", "collector", None, None, "north", (), "en"),
            "chen.qa": User("chen.qa", "qa", None, None, None, (), "en"),
        }
        self.cases: dict[str, dict[str, Any]] = {case["id"]: case for case in canned_cases(_now())}
        self.notes: dict[str, list[dict[str, Any]]] = {case: [] for case in self.cases}
        self.calls: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.placed: list[tuple[str, dict[str, Any]]] = []
        self.hung_up: list[str] = []
        self.controlled: list[tuple[str, dict[str, Any]]] = []
        self.control_refusal: tuple[int, dict[str, Any]] | None = None
        self.dispositions: list[tuple[str, dict[str, Any]]] = []
        self.targets: dict[str, Any] = {"colleagues": [], "groups": [], "numbers": []}
        self.refusal: tuple[int, dict[str, Any]] | None = None
        self.lose_answers = 0
        self.deaf = False
        self.hold_answer: asyncio.Event | None = None
        self.stream_down = False
        self.problems: dict[str, str] = {}
        self.due: list[dict[str, Any]] = []
        self.people = desk_people_api.People()
        self.streams: dict[web.StreamResponse, asyncio.Event] = {}  # each with what ends it
        self.events = 0

    # ---- what a test does

    def add_call(
        self, *, case_id: str, party_id: str, number: str, agent: str = "li.na", **columns: Any
    ) -> dict[str, Any]:
        """A call document in state `queued`, or as `columns` say."""
        call: dict[str, Any] = {
            "id": f"{len(self.calls) + 1:032x}", "state": "queued", "end_reason": None, "outcome": None, "agent": agent,
            "case_id": case_id, "party_id": party_id, "number": number, "direction": "outbound", "trunk": "carrier-a",
            "decision_id": "d" * 32, "created_at": _now().isoformat(), **dict.fromkeys(MOMENTS), "hangup_cause": None,
            "denial": None, "violations": [], "recordings": [], "attempts_counted": 1, "current_agent": agent, "held_at": None,
            "muted": False, "paused_until": None, "transfer": None, **columns,
        }  # fmt: skip
        self.calls[call["id"]] = call
        return call

    def add_note(self, case_id: str, **columns: Any) -> dict[str, Any]:
        """A final note, or as `columns` say."""
        note: dict[str, Any] = {
            "id": f"{len(self.notes[case_id]) + 1:032x}", "case_id": case_id, "call_id": None, "state": "final", "author": "li.na",
            "at": _now().isoformat(), "party_id": None, "number": None, "relation": None, "action_code": None, "text": "",
            "details": {}, **columns,
        }  # fmt: skip
        self.notes[case_id].insert(0, note)
        return note

    async def move(self, call: dict[str, Any], state: str, **columns: Any) -> None:
        """Take a call to a state and tell the streams."""
        moment = f"{state}_at"
        if moment in call and call[moment] is None:
            call[moment] = _now().isoformat()
        call.update({"state": state, **columns})
        kind = "call.ended" if state == "ended" else "call.state"
        await self.push(kind, case_id=call["case_id"], call_id=call["id"], agent=call["agent"], data={"call": call})

    async def push(self, kind: str, **members: Any) -> None:
        """Send one event to every open stream."""
        self.events += 1
        about = {"agent": None, "case_id": None, "call_id": None, "data": {}, **members}
        document = {"id": self.events, "at": _now().isoformat(), "kind": kind, **about}
        for stream, gone in list(self.streams.items()):
            try:
                await stream.write(f"id: {self.events}\nevent: {kind}\ndata: {json.dumps(document)}\n\n".encode())
            except ConnectionResetError:
                gone.set()

    def break_streams(self, *, stay_down: bool) -> None:
        """Cut every open stream; with `stay_down` new ones are refused."""
        self.stream_down = stay_down
        for gone in self.streams.values():
            gone.set()


def _problem(status: int, code: str, detail: str, **members: Any) -> web.Response:
    document = {"type": f"/problems/{code}", "title": code, "status": status, "detail": detail, **members}
    return web.json_response(document, status=status, content_type="application/problem+json")


_CONTROLLED: dict[str, Callable[[], dict[str, Any]]] = {
    "hold": lambda: {"state": "held", "held_at": _now().isoformat()},
    "unhold": lambda: {"state": "connected", "held_at": None},
    "mute": lambda: {"muted": True},
    "unmute": lambda: {"muted": False},
    "pause-recording": lambda: {"paused_until": (_now() + timedelta(seconds=90)).isoformat()},
    "resume-recording": lambda: {"paused_until": None},
    "transfer/cancel": lambda: {"state": "connected", "transfer": None},
}


class _Routes:
    def __init__(self, desk: CannedDesk) -> None:
        self.desk = desk

    def _user(self, request: web.Request) -> User | None:
        return self.desk.users.get(request.cookies.get(COOKIE, ""))

    @web.middleware
    async def admit(self, request: web.Request, handler: Handle) -> web.StreamResponse:
        user = self._user(request)
        if user is not None:
            request[keys.USER] = user
        logs_in = request.method == "POST" and request.path == "/v1/session"
        if user is None and request.path.startswith("/v1/") and not logs_in:
            return _problem(401, "unauthorized", "log in first")
        return await handler(request)

    @staticmethod
    def _me(user: User) -> web.Response:
        fields = ("name", "role", "extension", "pbx", "language", "team")
        return web.json_response({name: getattr(user, name) for name in fields})

    async def log_in(self, request: web.Request) -> web.Response:
        body = await request.json()
        user = self.desk.users.get(body["name"])
        if user is None or body["password"] != PASSWORD:
            return _problem(401, "unauthorized", "name or password is wrong")
        response = self._me(user)
        response.set_cookie(COOKIE, user.name, httponly=True, samesite="Strict")
        return response

    async def who(self, request: web.Request) -> web.Response:
        return self._me(request[keys.USER])

    async def log_out(self, request: web.Request) -> web.Response:
        response = web.Response(status=204)
        response.del_cookie(COOKIE)
        return response

    async def language(self, request: web.Request) -> web.Response:
        user = request[keys.USER]
        language = (await request.json())["language"]
        self.desk.users[user.name] = User(user.name, user.role, user.extension, user.pbx, user.team, (), language)
        return self._me(self.desk.users[user.name])

    async def list_cases(self, request: web.Request) -> web.Response:
        wanted = request.query.get("q", "").lower()
        found = [case for case in self.desk.cases.values() if wanted in json.dumps(case, ensure_ascii=False).lower()]
        start, limit = int(request.query.get("cursor", 0)), int(request.query["limit"])
        keys_shown = ("id", "client", "state", "collector", "complaint_open", "last_follow_up_at", "parties")
        items = [{key: case[key] for key in keys_shown} for case in found[start : start + limit]]
        following = str(start + limit) if len(found) > start + limit else None
        return web.json_response({"items": items, "next_cursor": following})

    async def show_case(self, request: web.Request) -> web.Response:
        case = self.desk.cases.get(request.match_info["id"])
        return web.json_response(case) if case else _problem(404, "not-found", "there is no such case")

    async def week(self, request: web.Request) -> web.Response:
        """Every day from 08:00 to 21:00 UTC."""
        day = _now().replace(hour=0, minute=0, second=0, microsecond=0)
        stretches = []
        for index in range(7):
            for hours, allowed in (((0, 8), False), ((8, 21), True), ((21, 24), False)):
                start, end = (day + timedelta(days=index, hours=hour) for hour in hours)
                stretches.append(
                    {"from": start.isoformat(), "until": end.isoformat(), "allowed": allowed, "rule": None}
                )
        return web.json_response({"zone": "UTC", "stretches": stretches})

    async def work_due(self, request: web.Request) -> web.Response:
        return web.json_response({"items": self.desk.due})

    async def notes(self, request: web.Request) -> web.Response:
        return web.json_response({"items": self.desk.notes.get(request.match_info["id"], []), "next_cursor": None})

    async def list_calls(self, request: web.Request) -> web.Response:
        calls = list(reversed(self.desk.calls.values()))
        if request.query.get("open") == "true":
            mine = request[keys.USER].name
            calls = [call for call in calls if call["state"] != "ended" and call["agent"] == mine]
        elif "case_id" in request.query:
            calls = [call for call in calls if call["case_id"] == request.query["case_id"]]
        return web.json_response({"items": calls, "next_cursor": None})

    async def place(self, request: web.Request) -> web.StreamResponse:
        key, body = request.headers["Idempotency-Key"], await request.json()
        self.desk.placed.append((key, body))
        if self.desk.deaf:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.desk.hold_answer is not None:
            await self.desk.hold_answer.wait()
        if self.desk.refusal is not None:
            status, members = self.desk.refusal
            return _problem(status, members.pop("code"), members.pop("detail"), **members)
        if key not in self.desk.answers:
            self.desk.answers[key] = self.desk.add_call(agent=request[keys.USER].name, **body)
            await self.desk.move(self.desk.answers[key], "calling_agent")
        if self.desk.lose_answers:
            self.desk.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(self.desk.answers[key], status=201)

    async def show_call(self, request: web.Request) -> web.Response:
        return web.json_response(self.desk.calls[request.match_info["id"]])

    async def hangup(self, request: web.Request) -> web.Response:
        call = self.desk.calls[request.match_info["id"]]
        self.desk.hung_up.append(call["id"])
        return web.json_response(call)

    async def control(self, request: web.Request) -> web.Response:
        """Hold, mute and the like: what was asked for is so at once, but for a transfer, which a test goes on with."""
        call, what = self.desk.calls[request.match_info["id"]], request.match_info["what"]
        body = await request.json() if request.can_read_body else {}
        self.desk.controlled.append((what, body))
        if self.desk.control_refusal is not None:
            status, members = self.desk.control_refusal
            return _problem(status, members.pop("code"), members.pop("detail"), **members)
        call.update(_CONTROLLED.get(what, lambda: {})())
        if what == "transfer":
            asked = {"by": call["agent"], "to": body["to"], "kind": body["kind"]}
            call.update(state="held", transfer={**asked, "state": "ringing"})
        return web.json_response(call)

    async def transfer_targets(self, request: web.Request) -> web.Response:
        return web.json_response(self.desk.targets)

    async def dispose(self, request: web.Request) -> web.Response:
        call, body = self.desk.calls[request.match_info["id"]], await request.json()
        self.desk.dispositions.append((call["id"], body))
        for note in self.desk.notes[call["case_id"]]:
            if note["call_id"] == call["id"]:
                note.update({"state": "final", "action_code": body["action_code"], "text": body["note"]})
        call["disposition"] = body
        return web.json_response(call)

    async def action_codes(self, request: web.Request) -> web.Response:
        codes = [
            ("PTP", "promise to pay", "承诺还款"),
            ("NOA", "no answer", "无人接听"),
            ("REF", "refuses to pay", "拒绝还款"),
        ]
        return web.json_response({"items": [{"code": code, "label": {"en": en, "zh": zh}} for code, en, zh in codes]})

    async def nothing(self, request: web.Request) -> web.Response:
        return web.json_response({"items": [], "next_cursor": None})

    async def add_note(self, request: web.Request) -> web.Response:
        case_id, text = request.match_info["id"], (await request.json())["text"]
        note = self.desk.add_note(case_id, text=text, author=request[keys.USER].name)
        return web.json_response(note, status=201)

    async def ready(self, request: web.Request) -> web.Response:
        problems = self.desk.problems
        return web.json_response({"ready": not problems, "problems": problems}, status=503 if problems else 200)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        if self.desk.stream_down:
            raise web.HTTPServiceUnavailable
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 200\n\n")
        gone = self.desk.streams[response] = asyncio.Event()
        await gone.wait()  # events are written by push()
        del self.desk.streams[response]
        if request.transport is not None:
            request.transport.abort()
        return response


def canned_app(desk: CannedDesk) -> web.Application:
    """The stand-in as an application, with our own pages on it."""
    routes = _Routes(desk)
    app = web.Application(middlewares=[routes.admit])
    app.on_response_prepare.append(middleware.add_security_headers)
    pages.setup_pages(app)
    app.router.add_post("/v1/session", routes.log_in)
    app.router.add_get("/v1/session", routes.who)
    app.router.add_delete("/v1/session", routes.log_out)
    app.router.add_put("/v1/session/language", routes.language)
    app.router.add_get("/v1/cases", routes.list_cases)
    app.router.add_get("/v1/cases/{id}", routes.show_case)
    app.router.add_get("/v1/cases/{id}/notes", routes.notes)
    app.router.add_get("/v1/cases/{id}/numbers/{number}/week", routes.week)
    app.router.add_get("/v1/work/due", routes.work_due)
    app.router.add_get("/v1/commitments", routes.nothing)
    app.router.add_get("/v1/cases/{id}/related", routes.nothing)
    app.router.add_post("/v1/cases/{id}/notes", routes.add_note)
    app.router.add_get("/readyz", routes.ready)
    app.router.add_get("/v1/calls", routes.list_calls)
    desk_people_api.add_routes(app, desk)
    app.router.add_post("/v1/calls", routes.place)
    app.router.add_get("/v1/calls/{id}", routes.show_call)
    app.router.add_post("/v1/calls/{id}/hangup", routes.hangup)
    app.router.add_get("/v1/calls/{id}/transfer-targets", routes.transfer_targets)
    app.router.add_post("/v1/calls/{id}/{what:.+}", routes.control)
    app.router.add_put("/v1/calls/{id}/disposition", routes.dispose)
    app.router.add_get("/v1/action-codes", routes.action_codes)
    app.router.add_get("/v1/events", routes.stream)
    return app


@asynccontextmanager
async def canned_desk() -> AsyncIterator[tuple[CannedDesk, str]]:
    """A served stand-in and its origin."""
    desk = CannedDesk()
    server = TestServer(canned_app(desk))
    await server.start_server()
    try:
        yield desk, f"http://127.0.0.1:{server.port}"
    finally:
        desk.break_streams(stay_down=True)
        await server.close()
