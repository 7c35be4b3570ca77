"""One table of rules on every path to a real phone: a click, a typed number, a transfer to the outside, a call-back.

A denied number must not ring on any of them and says its rule on each; an allowed one rings.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from config import clock
from tests.support.callers import Callers
from tests.support.desk_phones import move_phones, typed
from tests.support.floor import PATIENCE, Floor

pytestmark = pytest.mark.flow

CUSTOMER = "+8613800137002"
ONCE = {"packs": ["house"], "house": {"caps": [{"limit": 1, "days": 1, "per": ["person"]}]}, "zone": "Asia/Shanghai"}


@dataclass(frozen=True)
class Row:
    """Whom the call is to, what happened before, and the rule that denies it; None: it must ring. `number` answers."""

    name: str
    number: str
    rule: str | None
    case: dict[str, Any] = field(default_factory=dict)
    party: dict[str, Any] = field(default_factory=dict)
    number_is: dict[str, Any] = field(default_factory=dict)
    client: str = "anytime"
    before: str | None = None


TABLE = [
    Row("an ordinary number", "+8613800137102", None),
    Row("a number marked do-not-call", "+8613800137202", "house/do-not-call", number_is={"do_not_call": True}),
    Row("a number that is not in service", "+8613800137302", "house/invalid-number", number_is={"status": "invalid"}),
    Row("a party with an attorney", "+8613800137402", "house/attorney", party={"attorney": True}),
    Row("a party who refused", "+8613800137502", "house/refused", party={"refused_at": "2026-05-20T10:00:00+08:00"}),
    Row("a written cease", "+8613800137602", "house/cease", party={"cease_at": "2026-05-20T10:00:00+08:00"}),
    Row("the dead", "+8613800137702", "house/deceased", party={"deceased": True}),
    Row("nobody knows where", "+15005550702", "house/unknown-zone", party={"locations": []}),
    Row("the mandate is over", "+8613800137802", "house/mandate-expired", case={"mandate_until": "2026-05-31"}),
    Row("the case is settled", "+8613800137902", "house/settled", case={"state": "settled"}),
    Row("a payment is pending", "+8613800136002", "house/payment-pending", case={"state": "payment_pending"}),
    Row("a complaint is open", "+8613800136102", "house/complaint-open", before="complaint"),
    Row("the cap is used up", "+8613800136202", "house/cap-1", client="once", before="contact"),
    Row("the client's hours are closed", "+8613800136302", "house/hours", client="closed"),
    Row("the cap is lifted", "+8613800136402", None, client="once", before="override"),
]


@pytest.fixture
async def desk(floor: Floor) -> Floor:
    """A collector with a phone that dials by itself, and clients with a cap and with hours that are closed now."""
    await move_phones(floor, {"wang": "1006"})
    local = clock.now() + timedelta(hours=8)
    opens, closes = ((local + timedelta(hours=hours)).strftime("%H:%M") for hours in (10, 14))
    closed = {"packs": ["house"], "house": {"hours": f"{opens}-{closes}"}, "zone": "Asia/Shanghai"}
    for client, policy in (("once", ONCE), ("closed", closed)):
        await floor.expect(201, "PUT", f"/v1/policies/{client}", user="admin", body=policy)
    return floor


async def furnish(floor: Floor, row: Row) -> None:
    """The case, and what happened before."""
    numbers = [{"e164": row.number, "kind": "mobile", **row.number_is}]
    await floor.case(row.number, client=row.client, party={**row.party, "numbers": numbers}, **row.case)
    case_id, party_id = floor.numbers[row.number]
    if row.before == "complaint":
        complaint = {"case_id": case_id, "severity": "general", "text": "he shouted"}
        await floor.expect(201, "POST", "/v1/complaints", user="supervisor", body=complaint)
    if row.before in ("contact", "override"):
        told = {"party_id": party_id, "case_id": case_id, "number": row.number, "at": clock.now().isoformat(),
                "channel": "call", "direction": "outbound", "by": "us", "outcome": "no_answer"}  # fmt: skip
        await floor.expect(201, "POST", "/v1/contacts", user="crm", body=told)
    if row.before == "override":
        until = (clock.now() + timedelta(hours=2)).isoformat()
        leave = {"case_id": case_id, "number": row.number, "reason": "asked to be called", "expires_at": until}
        await floor.expect(201, "POST", "/v1/overrides", user="supervisor", body=leave)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
async def test_a_click_and_a_typed_number_follow_the_table(desk: Floor, row: Row) -> None:
    await furnish(desk, row)
    before = len(await desk.lab.world.calls_seen(row.number))
    for path in ("click", "typed"):
        rule = await (clicked(desk, row.number) if path == "click" else dialled(desk, row.number))
        assert rule == row.rule, path
    rang = len(await desk.lab.world.calls_seen(row.number)) - before
    assert rang == (0 if row.rule else 2)


async def clicked(floor: Floor, number: str) -> str | None:
    """The rule that denies a click; a call that is taken is connected and hung up."""
    status, document = await floor.dial(number)
    if status == 403:
        decision = await floor.expect(200, "GET", f"/v1/decisions/{document['decision_id']}", user="supervisor")
        assert (decision["verdict"], decision["same"]) == ("deny", True)
        assert "一" <= document["denials"][0]["reason_zh"][0] <= "鿿"
        return str(document["rule"])
    assert status == 201, document
    await floor.until(document, "connected")
    await floor.hangup(document)
    return None


async def dialled(floor: Floor, number: str) -> str | None:
    """The rule that denies a number typed on wang's phone."""
    call = await typed(floor, "wang", "1006", number)
    async with asyncio.timeout(PATIENCE):
        while call["state"] not in ("connected", "ended"):
            await asyncio.sleep(0.05)
            call = await floor.show(call)
    if call["denial"]:
        assert (call["end_reason"], call["attempts_counted"]) == ("denied_at_dial", 0)
        return str(call["denial"]["rule"])
    await floor.hangup(call, user="wang")
    return None


async def test_a_transfer_to_the_outside_follows_the_table(desk: Floor) -> None:
    await desk.case(CUSTOMER)
    for row in TABLE:
        await furnish(desk, row)
    call = await desk.call(CUSTOMER)
    await desk.until(call, "connected")
    for row in sorted(TABLE, key=lambda row: row.rule is None):
        seen = len(await desk.lab.world.calls_seen(row.number))
        body = {"to": row.number, "kind": "blind"}
        status, document = await desk.request("POST", f"/v1/calls/{call['id']}/transfer", user="collector", body=body)
        if row.rule is None:
            assert status == 200, (row.name, document)
            break
        assert (status, document["rule"]) == (403, row.rule), row.name
        assert (await desk.show(call))["state"] == "connected", "the customer stays"
        assert len(await desk.lab.world.calls_seen(row.number)) == seen
    async with asyncio.timeout(PATIENCE):
        while True:
            if await desk.lab.world.calls_seen(row.number):
                break
            await asyncio.sleep(0.1)
    await desk.lab.world.hangup_all()
    await desk.ended(call)


@pytest.mark.parametrize(("number", "rule"), [("+8613800135002", None), ("+8613800135102", "house/cap-1")])
async def test_a_call_back_to_who_rang_in_follows_the_rules(callers: Callers, number: str, rule: str | None) -> None:
    """A call that came in is taken whatever the caps say, and counts against none; calling back is an attempt like any other."""
    floor = callers.floor
    await floor.expect(201, "PUT", "/v1/policies/once", user="admin", body=ONCE)
    await floor.case(number, client="once", collector="collector")
    if rule is not None:
        assert await clicked(floor, number) is None
    await callers.route(to="extension", target="1010", ring_seconds=5)
    await callers.call(caller=number)
    await callers.state(await callers.inbound(), "ended")
    async with asyncio.timeout(PATIENCE):
        while True:
            due = await floor.expect(200, "GET", "/v1/call-backs?state=due&mine=true")
            if due["items"]:
                break
            await asyncio.sleep(0.05)
    assert (due["items"][0]["number"], due["items"][0]["allowed_now"]) == (number, rule is None)
    assert await clicked(floor, number) == rule
