"""Routes, groups and call-backs over HTTP: who may, what is refused, what the journal keeps. The calls are in tests/flows."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from config import clock
from config.journal import Entry
from crm_bridge.inbound import call_backs
from crm_bridge.inbound import fallback as inbound_fallback
from crm_bridge.inbound import routes as inbound_routes
from crm_bridge.inbound.matching import e164_of, masked_name
from telephony.calls.call_records import end
from telephony.calls.call_states import EndReason
from telephony.calls.outcomes import Ending
from telephony.inbound.arrivals import Arrival, Reception, write_down
from telephony.inbound.fallback import Fallback
from tests.support.api import Service
from tests.support.desk import MOBILE, case, party

DID = "+861055550000"
PATH = f"/v1/inbound-routes/{quote(DID)}"


@pytest.fixture
async def desk(service: Service) -> Service:
    """An admin, a supervisor, two collectors and a CRM."""
    await service.add("root", "admin")
    await service.add("chen", "supervisor", team="north")
    await service.add("li", "collector", team="north", extension="1001")
    await service.add("wang", "collector", team="south", extension="1002")
    await service.add("crm", "crm")
    await service.post("/v1/groups", "root", {"name": "desk", "members": ["wang", "li"]})
    return service


@pytest.mark.parametrize("written", ["010 5555 0000", "+86 10 5555 0000", "01055550000", "0086-10-5555-0000"])
async def test_a_number_called_is_one_in_every_spelling(desk: Service, written: str) -> None:
    made = await desk.post("/v1/inbound-routes", "root", {"did": written, "to": "owner", "hours": "09:00-18:00"})
    assert (made["did"], made["zone"], made["overflow"]) == (DID, "Asia/Shanghai", [])
    assert made["hours"][0]["from"] == "09:00"
    await desk.post("/v1/inbound-routes", "root", {"did": "861055550000", "to": "owner"}, status=409)


async def test_a_route_is_read_changed_and_taken_away_and_the_journal_has_it_all(desk: Service) -> None:
    await desk.post("/v1/inbound-routes", "root", {"did": DID, "to": "owner", "overflow": "desk", "reason": "new"})
    changed = await desk.put(PATH, "root", {"to": "group", "target": "desk", "reason": "they asked"})
    assert (changed["to"], changed["overflow"]) == ("group", [])
    assert (await desk.get(PATH, "chen"))["target"] == "desk"
    assert [one["did"] for one in (await desk.get("/v1/inbound-routes", "chen"))["items"]] == [DID]
    refused = await desk.ask("DELETE", "/v1/groups/desk", "root")
    assert refused.status == 409
    assert (await desk.ask("DELETE", f"{PATH}?reason=over", "root")).status == 204
    await desk.get(PATH, "root", status=404)
    entries = await desk.journal("inbound_route.changed")
    assert [entry.data["reason"] for entry in entries] == ["new", "they asked", "over"]
    assert entries[1].data["before"]["to"] == "owner"
    assert entries[2].data["after"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"did": "hello", "to": "owner"}, "did"),
        ({"did": DID}, "to"),
        ({"did": DID, "to": "somewhere"}, "to"),
        ({"did": DID, "to": "group"}, ""),
        ({"did": DID, "to": "group", "target": "nobody"}, "target"),
        ({"did": DID, "to": "extension", "target": "1001&PJSIP/1002"}, ""),
        ({"did": DID, "to": "owner", "target": "desk"}, ""),
        ({"did": DID, "to": "owner", "overflow": [{"to": "group", "target": "nobody"}]}, "overflow.0.target"),
        ({"did": DID, "to": "owner", "overflow": [{"to": "owner"}]}, "overflow.0.to"),
        ({"did": DID, "to": "owner", "hours": "25:00-26:00"}, "hours"),
        ({"did": DID, "to": "owner", "announcement": "a&b"}, "announcement"),
        ({"did": DID, "to": "owner", "closed_message": "${EVIL}"}, "closed_message"),
        ({"did": DID, "to": "owner", "zone": "Mars/Olympus"}, "zone"),
        ({"did": DID, "to": "owner", "ring_seconds": 0}, "ring_seconds"),
        ({"did": DID, "to": "owner", "colour": "red"}, "colour"),
    ],
)
async def test_a_route_that_makes_no_sense_is_refused_by_field(desk: Service, body: Any, field: str) -> None:
    problem = await desk.post("/v1/inbound-routes", "root", body, status=422)
    assert problem["errors"][0]["field"].startswith(field), problem


@pytest.mark.parametrize("user", ["chen", "li", "crm"])
async def test_only_an_admin_sets_routes_and_groups(desk: Service, user: str) -> None:
    await desk.post("/v1/inbound-routes", user, {"did": DID, "to": "owner"}, status=403)
    await desk.put(PATH, user, {"to": "owner"}, status=403)
    await desk.post("/v1/groups", user, {"name": "x", "members": []}, status=403)


async def test_a_group_names_people_who_are_there(desk: Service) -> None:
    problem = await desk.put("/v1/groups/desk", "root", {"members": ["li", "nobody"]}, status=422)
    assert problem["errors"][0]["field"] == "members.1"
    await desk.put("/v1/groups/none", "root", {"members": []}, status=404)
    await desk.post("/v1/groups", "root", {"name": "desk", "members": []}, status=409)
    changed = await desk.put("/v1/groups/desk", "root", {"members": ["li", "li"], "ring": "in_turn"})
    assert (changed["members"], changed["ring"]) == (["li"], "in_turn")


async def test_a_preview_says_who_would_ring_and_who_not(desk: Service) -> None:
    body = {"did": DID, "to": "owner", "overflow": "desk", "hours": [{"days": ["mon"], "from": "09:00", "to": "18:00"}]}
    await desk.post("/v1/inbound-routes", "root", body)
    await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1", MOBILE)], collector="li"), status=201)
    monday, sunday = "2026-06-01T10:00:00%2B08:00", "2026-05-31T10:00:00%2B08:00"
    asked = f"/v1/inbound-routes/preview?did=01055550000&number={quote(MOBILE)}&at="
    found = await desk.get(asked + monday, "root")
    assert (found["what"], found["rings"][0]) == ("ring", ["1001"])
    assert [match["case_id"] for match in found["matches"]] == ["c1"]
    assert (await desk.get(asked + sunday, "chen"))["what"] == "closed"
    assert (await desk.get("/v1/inbound-routes/preview?did=95588", "root"))["what"] == "no-route"


async def test_a_missed_call_is_one_task_however_often_it_was_missed(desk: Service) -> None:
    await desk.put("/v1/cases/c1", "crm", case(parties=[party("p1", MOBILE)], collector="li"), status=201)
    for _ in range(2):
        await _missed(desk, MOBILE)
    (task,) = (await desk.get("/v1/call-backs", "li"))["items"]
    assert (task["missed"], task["agent"], task["case_id"], task["number"]) == (2, "li", "c1", MOBILE)
    assert isinstance(task["allowed_now"], bool)
    assert (await desk.get("/v1/call-backs", "wang"))["items"] == []
    await desk.get(f"/v1/call-backs/{task['id']}", "wang", status=404)
    await desk.post(f"/v1/call-backs/{task['id']}/close", "li", {}, status=422)
    done = await desk.post(f"/v1/call-backs/{task['id']}/close", "li", {"reason": "they wrote"}, status=200)
    assert (done["state"], done["done_by"], done["reason"]) == ("dropped", "li", "they wrote")
    await desk.post(f"/v1/call-backs/{task['id']}/close", "li", {"reason": "again"}, status=409)
    assert [entry.kind for entry in await desk.journal("call_back.due", "call_back.dropped")] == [
        "call_back.due",
        "call_back.due",
        "call_back.dropped",
    ]


async def _missed(desk: Service, number: str) -> None:
    now = clock.now()
    call_id = f"{int(now.timestamp() * 1_000_000):032x}"
    arrival = Arrival(
        call_id=call_id, pbx="main", uniqueid=call_id, channel="", did=DID, caller=number, carrier="carrier-a"
    )
    async with desk.database.write() as transaction:
        await write_down(transaction, arrival, Reception(what="ring", did=DID, caller=number, phones={}), now)
        await end(transaction, call_id, now, Ending(EndReason.NO_ANSWER, "no_answer"))
        entry = Entry(now, "call.ended", call_id=call_id)
        await call_backs.follow_call(transaction, entry)
        await call_backs.follow_call(transaction, entry)  # told twice, it counts once


async def test_the_fallback_is_the_route_of_every_other_number(desk: Service) -> None:
    fallbacks = inbound_fallback.Fallbacks("main")

    async def told() -> str:
        async with desk.database.read() as connection:
            return (await fallbacks.of(connection, "main")).value()

    assert await told() == ":30:"
    await desk.post("/v1/inbound-routes", "root", {"did": DID, "to": "extension", "target": "1009"})
    assert await told() == "1009:20:"
    route = {"did": "*", "to": "group", "target": "desk", "ring_seconds": 15, "announcement": "custom/told"}
    await desk.post("/v1/inbound-routes", "root", route)
    assert await told() == "1002+1001:15:custom/told"


def test_a_fallback_that_does_not_fit_keeps_what_does() -> None:
    many = Fallback(tuple((f"phone-number-{index}",) for index in range(100)), 20, "custom/told")
    assert len(many.value()) <= 250
    assert many.value().endswith(":20:custom/told")
    assert not many.value().split(":")[0].endswith(("/", "+"))


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("13800138002", "+8613800138002"),
        ("013800138002", "+8613800138002"),
        ("8613800138002", "+8613800138002"),
        ("12125550102", "+12125550102"),
        ("95588", None),
        ("", None),
    ],
)
def test_a_carriers_digits_are_read_as_a_number(sent: str, known: str | None) -> None:
    assert e164_of(sent, "CN") == known


def test_names_are_masked_before_it_is_known_who_calls() -> None:
    assert (masked_name("王建国"), masked_name("James Miller"), masked_name("")) == ("王**", "J**", "")


def test_hours_are_those_of_the_routes_zone() -> None:
    bands = [{"days": ["mon"], "from": "09:00", "to": "18:00"}]
    route: Any = SimpleNamespace(zone="Asia/Shanghai", hours=bands)

    def is_open(day: int, hour: int, minute: int) -> bool:
        return inbound_routes.is_open(route, datetime(2026, 6, day, hour, minute, tzinfo=UTC))

    assert is_open(1, 1, 0)
    assert not is_open(1, 0, 59)
    assert not is_open(1, 10, 0)
    assert not is_open(2, 1, 0)
