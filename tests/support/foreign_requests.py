"""The requests of the access test: for each route of the table a path and a body that name a foreign world's objects."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from config import clock
from tests.support.foreign_worlds import MAPPING, NUMBERS, WORLDS

TABLE = Path(__file__).parents[1] / "crm_bridge" / "web" / "access_table.txt"
ROLES = ("collector", "qa", "supervisor", "admin", "crm")
BOUND_TO_TEAMS = ("collector", "supervisor")
BEFORE = "2026-05-01T00:00:00Z"
SOON = (clock.now() + timedelta(hours=1)).isoformat()
SCORES = dict.fromkeys(("identity", "lawful", "disclosure", "opening", "manner", "facts", "needs", "note"))
DIAL = {"case_id": "case-{w}", "party_id": "party-{w}", "number": "{number}"}
WHY = {"reason": "because"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: who may, and what happens to what is not theirs."""

    method: str
    path: str
    roles: frozenset[str] | None  # None: public
    answer: str = ""
    axes: tuple[str, ...] = field(default=())

    @property
    def key(self) -> str:
        """As the table writes it."""
        return f"{self.method} {self.path}"


def table() -> list[Line]:
    """Every line."""
    lines = []
    for text in TABLE.read_text("utf-8").splitlines():
        if text.startswith("#") or not text.strip():
            continue
        method, path, *cells = text.split()
        if cells == ["public"]:
            lines.append(Line(method, path, None))
            continue
        assert set(cells[:5]) <= {"yes", "-"}, text
        roles = frozenset(role for role, cell in zip(ROLES, cells[:5], strict=True) if cell == "yes")
        axes = {"both": ("far", "south"), "client": ("far",), "team": ("south",)}.get(" ".join(cells[6:]), ())
        assert bool(axes) == (cells[5] in ("hidden", "refused", "filtered")), text
        lines.append(Line(method, path, roles, cells[5], axes))
    return lines


PLACES = {
    "/v1/cases/{id}": "case-{w}", "/v1/parties/{id}": "party-{w}", "/v1/calls/{id}": "call-{w}",
    "/v1/commitments/{id}": "commitment-{w}", "/v1/imports/{id}": "import-{w}", "/v1/complaints/{id}": "complaint-{w}",
    "/v1/qa/samples/{id}": "sample-{w}", "/v1/qa/reviews/{id}": "review-{w}", "/v1/deadlines/{id}": "deadline-{w}",
    "/v1/recordings/{call}/comments/{id}": "comment-{w}", "/v1/holds/{id}": "hold-{w}", "/v1/incidents/{id}": "incident-{w}",
    "/v1/call-backs/{id}": "back-{w}", "/v1/decisions/{id}": "decision-{w}", "/v1/recordings/{id}": "recording-{w}",
    "/v1/qa/forms/{id}": "standard", "/v1/tokens/{id}": "nothing", "/v1/widget-tokens/{id}": "nothing",
    "/v1/retention-classes/{id}": "nothing",
    "/v1/connectors/{id}": "connector-{w}", "/v1/webhooks/{id}": "nothing", "/v1/destinations/{id}": "nothing",
    "/v1/deliveries/{id}": "nothing", "/v1/period-reports/{id}": "nothing",
    "/v1/retrievals/{id}": "retrieval-{w}", "/v1/allowed-numbers/{id}": "allowed-{w}",
}  # fmt: skip
"""What `{id}` is, by the beginning of the route; the longest that fits counts."""

QUERIES = {
    "GET /v1/notes/export": "client={client}&from=2026-06-01&until=2026-06-02",
    "GET /v1/inbound-routes/preview": "did=%2B8610550000000&number={number_quoted}",
    "GET /v1/complaint-reports/weekly": "week=2026-W23",
    "GET /v1/reports/{name}": "from=2026-05-25&to=2026-06-10&by=agent",
    "GET /v1/deadlines": "state=all",
    "GET /v1/incidents": "state=all",
    "GET /v1/action-codes": "client={client}",
    "GET /v1/holds": "state=all",
    "DELETE /v1/holds/{id}": "reason=over",
    "POST /v1/imports": "client={client}&file_name=a.csv",
}

BODIES: dict[str, Any] = {
    "PUT /v1/cases/{id}": {"client": "{client}", "debts": ["d"]},
    "POST /v1/cases/{id}/state": {"action": "suspend", **WHY},
    "POST /v1/parties/{id}/flags": {"flag": "refused", "value": True, **WHY},
    "POST /v1/cases/{id}/notes": {"text": "hello"},
    "PUT /v1/calls/{id}/disposition": {"action_code": "A", "note": "x"},
    "PUT /v1/action-codes/{client}": {"codes": [{"code": "A", "label": {"zh": "字", "en": "a"}}]},
    "POST /v1/commitments/{id}/close": {"state": "kept", **WHY},
    "POST /v1/parties/{id}/numbers/{number}/mark": {"mark": "invalid", **WHY},
    "PUT /v1/import-mappings/{client}/{name}": {"columns": [{"column": "案件编号", "field": "case_id"}]},
    "POST /v1/imports/{id}/look": {},
    "POST /v1/imports/{id}/check": {"mapping": MAPPING},
    "POST /v1/imports/{id}/run": {},
    "POST /v1/imports/{id}/cancel": WHY,
    "POST /v1/imports/{id}/extend": WHY,
    "POST /v1/imports/{id}/confirm": {"to": "somebody"},
    "PUT /v1/note-templates/{client}": {"columns": [{"field": "case_id", "title": "案件"}]},
    "POST /v1/complaints": {"case_id": "case-{w}", "severity": "general", "text": "x"},
    "POST /v1/complaints/{id}/act": {"step": "note", "text": "x"},
    "POST /v1/complaints/{id}/close": {"ruling": "done"},
    "POST /v1/complaints/{id}/reopen": WHY,
    "POST /v1/complaints/{id}/instruct": {"resume": False, **WHY},
    "POST /v1/complaints/{id}/undo": WHY,
    "PUT /v1/complaint-ladders/{severity}": {
        "answer": {"within": 5, "unit": "working_days"},
        "steps": [{"name": "a", "role": "supervisor", "within": 1, "unit": "days"}],
        "client": "{client}",
    },
    "POST /v1/qa/samples": {"rule": {"client": "{client}"}, "from": BEFORE, "to": "2026-07-01T00:00:00Z", **WHY},
    "POST /v1/qa/reviews": {"call_id": "call-{w}", "scores": SCORES},
    "POST /v1/deadlines": {"kind": "major-matter", "text": "x", "case_id": "case-{w}"},
    "POST /v1/deadlines/{id}/done": WHY,
    "POST /v1/deadlines/{id}/cancel": WHY,
    "PUT /v1/deadline-rules/{kind}": {"within": 1, "unit": "days", "owner": "supervisor", "client": "{client}"},
    "PUT /v1/working-calendar": {"client": "{client}", "country": "CN", "zone": "Asia/Shanghai"},
    "POST /v1/recordings/{call}/comments": {"at_second": 1, "text": "x"},
    "POST /v1/contacts": {"party_id": "party-{w}", "case_id": "case-{w}", "at": BEFORE, "channel": "sms"},
    "POST /v1/overrides": {"case_id": "case-{w}", "number": "{number}", "expires_at": SOON, **WHY},
    "PUT /v1/policies/{client}": {"packs": []},
    "POST /v1/policies/what-if": {**DIAL, "at": BEFORE},
    "POST /v1/policies/{client}/preview": {"packs": []},
    "POST /v1/allowed-numbers": {"number": "+8613800130000", "reason": "because", "client": "{client}"},
    "PUT /v1/caller-id-pools/{name}": {"client": "{client}", "numbers": ["+861065550000"]},
    "POST /v1/holds": {"case_id": "case-{w}", "matter": "m", "kind": "audit", "reason": "because"},
    "POST /v1/holds/{id}/more": {"case_id": "case-{w}", **WHY},
    "POST /v1/incidents/{id}/close": WHY,
    "POST /v1/inbound-routes": {"did": "+8610550000001", "to": "owner", "client": "{client}"},
    "PUT /v1/inbound-routes/{did}": {"to": "owner", "client": "{client}"},
    "PUT /v1/calls/{id}/case": {"case_id": "case-{w}"},
    "POST /v1/call-backs/{id}/close": WHY,
    "PUT /v1/agents/{name}/state": {"state": "away"},
    "POST /v1/calls/{id}/right-party": {"answer": "unknown"},
    "PUT /v1/policies/{client}/third-party-script": {"zh": "字", "en": "a"},
    "POST /v1/reveals": {"what": "identity:party-{w}", **WHY},
    "POST /v1/calls": DIAL,
    "POST /v1/calls/by-number": {"number": "{number}"},
    "POST /v1/calls/check": DIAL,
    "PUT /v1/screen-pop-links/{client}": {"template": "https://crm.example.com/{case_id}"},
    "POST /v1/calls/{id}/dtmf": {"digits": "1"},
    "POST /v1/calls/{id}/listen": {"mode": "listen"},
    "POST /v1/calls/{id}/transfer": {"to": "+8613900000000"},
    "POST /v1/connectors": {
        "name": "crm",
        "url": "https://crm.example",
        "database": "crm",
        "token": "token-of-a-user",
        "client": "{client}",
    },
    "PATCH /v1/connectors/{id}": {"name": "another"},
    "PUT /v1/connectors/{id}": {"name": "another", "url": "x", "database": "crm", "client": "{client}"},
    "POST /v1/connectors/{id}/conflicts/{conflict}/decide": {"take": "ours"},
    "POST /v1/retrievals": {"cases": ["case-{w}"], **WHY},
}


def filled(value: Any, world: str) -> Any:
    """A path or a body with the world's names in it."""
    if isinstance(value, dict):
        return {key: filled(item, world) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, world) for item in value]
    if not isinstance(value, str):
        return value
    client, agent, _ = WORLDS[world]
    number = NUMBERS[world]
    names = {
        "{w}": world, "{client}": client, "{call}": f"call-{world}", "{number}": number, "{did}": f"{number}9",
        "{severity}": "general", "{kind}": "note", "{number_quoted}": number.replace("+", "%2B"),
        "{conflict}": f"conflict-{world}", "{name}": agent, "{country}": "CN", "{day}": "2026-10-01",
        "{report}": "complaints-weekly",
    }  # fmt: skip
    for name, given in names.items():
        value = value.replace(name, given)
    return value


def path_of(line: Line, world: str) -> str:
    """Where this line's foreign object of a world is."""
    places = [start for start in PLACES if line.path.startswith(start)]
    path = line.path.replace("{id}", PLACES[max(places, key=len)]) if places else line.path
    if line.path.startswith("/v1/import-mappings/"):
        path = path.replace("{name}", "mapping-{w}")
    if line.path.startswith("/v1/caller-id-pools/"):
        path = path.replace("{name}", "pool-{w}")
    if line.path.startswith("/v1/reports/"):
        path = path.replace("{name}", "attempts")
    query = QUERIES.get(line.key, "")
    return filled(path, world) + (f"?{filled(query, world)}" if query else "")
