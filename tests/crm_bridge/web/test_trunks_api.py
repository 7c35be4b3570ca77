"""Trunks and caller-ID pools over HTTP, without a PBX: what is kept and shown, who may, and every kind of bad input."""

from typing import Any

import pytest

from tests.support.api import Service

EXISTING = {"name": "a", "endpoint": "carrier-a", "prefixes": ["86"], "caller_ids": ["+8637100000"]}
HOST = {"name": "b", "host": "sip.carrier.example", "username": "acme", "secret": "s3cret", "register": True}


@pytest.fixture
async def desk(service: Service) -> Service:
    """An admin and a supervisor."""
    await service.add("root", "admin")
    await service.add("chen", "supervisor", team="north")
    return service


async def test_a_trunk_on_an_existing_endpoint_is_changed_switched_and_removed(desk: Service) -> None:
    created = await desk.post("/v1/trunks", "root", EXISTING | {"hours": "09:00-18:00", "reason": "new carrier"})
    assert (created["prefixes"], created["setup"], created["state"]) == (["+86"], None, "active")
    assert created["zone"] == "Asia/Shanghai"
    assert [band["from"] for band in created["hours"]] == ["09:00"]
    assert created["health"]["state"] == "unknown"
    changed = await desk.patch("/v1/trunks/a", "root", {"capacity": 30, "reason": "contract"})
    assert (changed["capacity"], changed["prefixes"], changed["hours"]) == (30, ["+86"], created["hours"])
    put = await desk.put("/v1/trunks/a", "root", {"endpoint": "carrier-b", "weight": 3})
    assert (put["endpoint"], put["weight"], put["capacity"], put["hours"]) == ("carrier-b", 3, 0, None)
    assert (await desk.patch("/v1/trunks/a", "root", {"enabled": False}))["state"] == "disabled"
    for act, state in (("enable", "active"), ("drain", "disabled"), ("enable", "active"), ("disable", "disabled")):
        body = {"reason": "test"}
        assert (await desk.post(f"/v1/trunks/a/{act}", "root", body, status=200))["state"] == state
    response = await desk.ask("DELETE", "/v1/trunks/a?reason=gone", "root")
    assert response.status == 204
    await desk.get("/v1/trunks/a", "root", status=404)
    kinds = ("trunk.created", "trunk.changed", "trunk.disabled", "trunk.drained", "trunk.enabled", "trunk.removed")
    entries = await desk.journal(*kinds)
    assert {entry.kind for entry in entries} == set(kinds)
    assert next(entry for entry in entries if entry.kind == "trunk.changed").data["before"] == {"capacity": 0}
    assert entries[-1].data["reason"] == "gone"


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"name": "A", "endpoint": "x"}, "name"),
        ({"name": "b"}, "endpoint"),
        ({"name": "b", "endpoint": "Carrier-A"}, "endpoint"),
    ],
)
async def test_two_trunks_of_one_name_or_endpoint_are_refused(desk: Service, other: dict[str, Any], field: str) -> None:
    await desk.post("/v1/trunks", "root", EXISTING)
    problem = await desk.post("/v1/trunks", "root", EXISTING | other, status=409)
    assert (problem["type"], problem["field"]) == ("/problems/conflict", field)
    await desk.post("/v1/trunks", "root", EXISTING | {"name": "c", "endpoint": "other"})
    await desk.patch("/v1/trunks/c", "root", {"endpoint": "carrier-a"}, status=409)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"host": "sip.carrier.example:5060"}, "host"),
        ({"host": "999.1.1.1"}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "x\r\nhost=evil"}, "host"),
        ({"host": "${X}"}, "host"),
        ({"port": 0}, "port"),
        ({"port": 70000}, "port"),
        ({"transport": "ws"}, "transport"),
        ({"username": "a;b"}, "username"),
        ({"username": "a@b"}, "username"),
        ({"secret": "two\nlines"}, "secret"),
        ({"secret": "carriage\rreturn"}, "secret"),
        ({"secret": " padded "}, "secret"),
        ({"secret": ""}, "secret"),
        ({"secret": "x" * 129}, "secret"),
        ({"codecs": ["mp3"]}, "codecs.0"),
        ({"codecs": []}, "codecs"),
        ({"codecs": ["alaw", "alaw"]}, "codecs"),
        ({"qualify_seconds": 2}, "qualify_seconds"),
        ({"capacity": -1}, "capacity"),
        ({"weight": 1001}, "weight"),
        ({"hours": "25:00-26:00"}, "hours"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"name": "x" * 51}, "name"),
        ({"name": "../x"}, "name"),
        ({"endpoint": "carrier-a"}, ""),
        ({"username": None, "secret": None}, ""),
        ({"username": None, "register": False}, ""),
        ({"secret": None}, ""),
        ({"pbx": "elsewhere"}, "pbx"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_bad_input_is_refused_with_its_field_and_without_the_secret(
    desk: Service, change: dict[str, Any], field: str
) -> None:
    problem = await desk.post("/v1/trunks", "root", HOST | change, status=422)
    assert problem["errors"][0]["field"] == field, problem
    given = change.get("secret")
    assert not given or given.strip() not in str(problem)
    assert (await desk.get("/v1/trunks", "root"))["items"] == []


@pytest.mark.parametrize(
    "change", [{"name": "c"}, {"pbx": "elsewhere"}, {"host": "10.0.0.1"}, {"secret": "x"}, {"priority": "high"}]
)
async def test_what_a_trunk_is_cannot_be_changed(desk: Service, change: dict[str, Any]) -> None:
    await desk.post("/v1/trunks", "root", EXISTING)
    await desk.put("/v1/trunks/a", "root", {"endpoint": "carrier-a"} | change, status=422)
    assert (await desk.get("/v1/trunks/a", "root"))["endpoint"] == "carrier-a"


async def test_without_its_pbx_nothing_is_set_up_and_nothing_is_kept(desk: Service) -> None:
    problem = await desk.post("/v1/trunks", "root", HOST, status=503)
    assert problem["type"] == "/problems/pbx-unavailable"
    assert (await desk.get("/v1/trunks", "root"))["items"] == []
    for path in ("/v1/trunks/none/test", "/v1/trunks/none/drain", "/v1/trunks/none/enable", "/v1/trunks/none/disable"):
        await desk.post(path, "root", {}, status=404)
    await desk.patch("/v1/trunks/none", "root", {"weight": 2}, status=404)
    assert (await desk.ask("DELETE", "/v1/trunks/none", "root")).status == 404


async def test_pools_are_set_shown_with_who_may_show_them_and_removed(desk: Service) -> None:
    await desk.post("/v1/trunks", "root", EXISTING)
    body = {
        "client": "bank",
        "region": "86",
        "numbers": ["+8637100000", "+8637100001"],
        "daily_limit": 100,
        "reason": "r",
    }
    pool = await desk.put("/v1/caller-id-pools/bank", "root", body, status=201)
    assert pool["region"] == "+86"
    assert pool["shown_by"] == {"+8637100000": ["a"], "+8637100001": []}
    await desk.put("/v1/caller-id-pools/bank", "root", body | {"daily_limit": 50})
    assert (await desk.get("/v1/caller-id-pools/bank", "chen"))["daily_limit"] == 50
    numbers = (await desk.get("/v1/caller-ids", "chen"))["items"]
    assert [(one["number"], one["trunks"], one["pools"], one["today"], one["daily_limit"]) for one in numbers] == [
        ("8637100000", ["a"], ["bank"], 0, 50),
        ("8637100001", [], ["bank"], 0, 50),
    ]
    assert (await desk.ask("DELETE", "/v1/caller-id-pools/bank?reason=over", "root")).status == 204
    entries = await desk.journal("caller_ids.pool_changed", "caller_ids.pool_removed")
    assert [entry.client for entry in entries] == ["bank"] * 3
    assert entries[1].data["before"]["daily_limit"] == 100


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"numbers": []}, "numbers"),
        ({"numbers": ["${X}"]}, "numbers.0"),
        ({"numbers": ["+8610", "8610"]}, "numbers"),
        ({"region": "CN"}, "region"),
        ({"daily_limit": -1}, "daily_limit"),
        ({"client": ""}, "client"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_pool_with_something_wrong_is_refused(desk: Service, change: dict[str, Any], field: str) -> None:
    problem = await desk.put("/v1/caller-id-pools/p", "root", {"numbers": ["+8637100000"]} | change, status=422)
    assert problem["errors"][0]["field"] == field
    assert (await desk.get("/v1/caller-id-pools", "root"))["items"] == []
    await desk.get("/v1/caller-ids?days=0", "root", status=422)
    await desk.get("/v1/caller-id-pools/p", "root", status=404)
