"""The part of the stand-in that is about people: what a collector is doing, who answered, one masked item in full."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from crm_bridge.cases.third_party_script import DEFAULT_EN, DEFAULT_ZH
from crm_bridge.web import keys

if TYPE_CHECKING:
    from tests.support.desk_api import CannedDesk

SCRIPT = {"zh": DEFAULT_ZH, "en": DEFAULT_EN, "own": False, "updated_at": None, "updated_by": None}
IDENTITY = "310101199001011234"


class People:
    """What was said: states by name, answers by call, and every reveal asked for."""

    def __init__(self) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.reveals: list[dict[str, Any]] = []
        self.reveal_seconds = 60

    def state(self, name: str) -> dict[str, Any]:
        """The document of GET /v1/agents/{name}."""
        idle = {
            "name": name, "extension": "1001", "team": "north", "state": "ready", "next": "ready", "reason": None,
            "since": datetime.now(UTC).isoformat(), "seconds": 0, "due_at": None, "call": None, "available": True,
        }  # fmt: skip
        return self.states.setdefault(name, idle)


def add_routes(app: web.Application, desk: "CannedDesk") -> None:
    """Serve the three resources."""
    people = desk.people

    async def state(request: web.Request) -> web.Response:
        return web.json_response(people.state(request.match_info["name"]))

    async def put_state(request: web.Request) -> web.Response:
        body = await request.json()
        known = people.state(request.match_info["name"])
        changes = {"next": body["state"], "reason": body["reason"]}
        if known["call"] is None:
            changes |= {"state": body["state"], "since": datetime.now(UTC).isoformat(), "due_at": None}
        known.update(changes)
        return web.json_response(known)

    def answered(call_id: str) -> dict[str, Any]:
        nobody = {"call_id": call_id, "answer": None, "party_id": None, "relation": None, "wrong_number": False}
        said = people.answers.get(call_id, nobody)
        return {**said, "script": None if said["answer"] == "debtor" else SCRIPT}

    async def right_party(request: web.Request) -> web.Response:
        return web.json_response(answered(request.match_info["id"]))

    async def say(request: web.Request) -> web.Response:
        call_id, body = request.match_info["id"], await request.json()
        empty = {"call_id": call_id, "party_id": None, "relation": None, "wrong_number": False}
        people.answers[call_id] = {**empty, **body}
        case = desk.cases[desk.calls[call_id]["case_id"]]
        case["disclosure"] = {"locked": body["answer"] != "debtor", "hidden": []}
        return web.json_response(answered(call_id))

    async def reveal(request: web.Request) -> web.Response:
        body = await request.json()
        people.reveals.append({**body, "by": request[keys.USER].name})
        until = datetime.now(UTC) + timedelta(seconds=people.reveal_seconds)
        value = IDENTITY if body["what"]["kind"] == "identity" else "+8613800138000"
        return web.json_response({"value": value, "expires_at": until.isoformat()}, status=201)

    app.router.add_get("/v1/agents/{name}", state)
    app.router.add_put("/v1/agents/{name}/state", put_state)
    app.router.add_get("/v1/calls/{id}/right-party", right_party)
    app.router.add_post("/v1/calls/{id}/right-party", say)
    app.router.add_post("/v1/reveals", reveal)
