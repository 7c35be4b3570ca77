"""The cases that every build must decide right, told over HTTP and asked over HTTP, on either database, with a moved clock.

Who, what happened (`POST /v1/contacts`), when, and what is expected. The pure engine has all of them in
`tests/telephony/policy/test_cases.py`; here it's shown that the facts arrive. 2026-06-01 is a Monday.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import time_machine
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from config.database import Database
from config.settings import Pbx, Policy, Settings
from crm_bridge.cases.facts import case_facts
from crm_bridge.web import calls, dispatch, keys, middleware
from crm_bridge.web.resources import DESK
from telephony.dialling.decisions import Decider
from telephony.dialling.dialer import Dialer
from telephony.dialling.gathering import Gathering
from tests.support.api import Service

NY, LA, SHANGHAI, MELBOURNE, KOLKATA = (
    "America/New_York", "America/Los_Angeles", "Asia/Shanghai", "Australia/Melbourne", "Asia/Kolkata",
)  # fmt: skip
CN, NEW_YORKER, AUSTRALIAN, INDIAN = "+8613800138000", "+12125550123", "+61291234567", "+919812345678"
CN_LANDLINE = "+8637165551234"
WORK = "+12125550188"


class Recorder:
    """Whether calls would be recorded, as a test says."""

    healthy = True

    def is_healthy(self) -> bool:
        """The answer that gathering asks for."""
        return self.healthy


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[tuple[Service, Recorder]]:
    """The API with the calls' resource, and a CRM, a collector, a supervisor and an admin."""
    app, recorder = web.Application(), Recorder()
    decider = Decider(Gathering(case_facts, Policy(), recorder_healthy=recorder.is_healthy))
    pbx = Pbx(name="main", username="ringfence", secret=SecretStr("secret"))
    app[keys.DATABASE], app[keys.SETTINGS], app[keys.DECIDER] = database, Settings(pbx=[pbx]), decider
    app[keys.DIALER] = Dialer(database, decider, {}, 20)
    middleware.install(app)
    dispatch.register(app, (*DESK, calls.api))
    async with TestClient(TestServer(app)) as client:
        service = Service(database, client)
        for name, role in (("crm", "crm"), ("li", "collector"), ("chen", "supervisor"), ("root", "admin")):
            await service.add(name, role)
        yield service, recorder


@dataclass(frozen=True)
class Told:
    """One story: `contacts` as (at, members), `asks` as (at, verdict, rule or None)."""

    name: str
    packs: list[str]
    asks: list[tuple[str, str, str | None]]
    zone: str | None = SHANGHAI
    numbers: tuple[str, ...] = (CN,)
    party: dict[str, Any] = field(default_factory=dict)
    case: dict[str, Any] = field(default_factory=dict)
    house: dict[str, Any] = field(default_factory=dict)
    contacts: tuple[tuple[str, dict[str, Any]], ...] = ()
    number: str | None = None
    purpose: str = "collect"
    region: str | None = None


def days(
    outcome: str, *dates: str, clock: str = "T12:00:00-04:00", **members: Any
) -> tuple[tuple[str, dict[str, Any]], ...]:
    """A call of that outcome on each of these days."""
    return tuple((f"2026-{date}{clock}", {"outcome": outcome, **members}) for date in dates)


def hours(outcome: str, count: int, day: str = "2026-06-01", offset: str = "+08:00", **members: Any) -> tuple[Any, ...]:
    """So many calls of that outcome on one day, an hour apart from 10:00 on."""
    return tuple((f"{day}T1{n}:00:00{offset}", {"outcome": outcome, **members}) for n in range(count))


def asks(*rows: str) -> list[tuple[str, str, str | None]]:
    """Written `2026-06-01T20:59:00+08:00 allow` or `… deny pack/rule`."""
    split = [row.split() for row in rows]
    return [(row[0], row[1], row[2] if len(row) > 2 else None) for row in split]


US = {"zone": NY, "numbers": (NEW_YORKER,)}
WEEK_BEFORE = ("06-02", "06-03", "06-04", "06-05", "06-06", "06-07")
CONSENT = {"kind": "call", "received": "2026-06-01T09:00:00-04:00"}
SHARED = "+12125550199"

STORIES = (
    Told("T1 hours", ["cn-outsourcing"], asks(
        "2026-06-01T20:59:00+08:00 allow", "2026-06-01T21:00:00+08:00 deny cn-outsourcing/hours",
        "2026-06-01T08:00:00+08:00 allow", "2026-06-01T07:59:59+08:00 deny cn-outsourcing/hours")),
    Told("T2 night ban", ["cn-gbt-45251"], asks(
        "2026-06-01T21:30:00+08:00 allow", "2026-06-01T22:00:00+08:00 deny cn-gbt-45251/hours",
        "2026-06-01T07:59:59+08:00 deny cn-gbt-45251/hours")),
    Told("T3 guard", ["us-reg-f"], asks("2026-06-01T20:59:30-04:00 deny us-reg-f/hours"), house={"guard_seconds": 60}, **US),
    Told("T4 two zones", ["us-reg-f"], asks(
        "2026-06-01T10:30:00-04:00 deny us-reg-f/hours", "2026-06-01T11:00:00-04:00 allow",
        "2026-06-01T20:59:00-04:00 allow", "2026-06-01T21:00:00-04:00 deny us-reg-f/hours"), zone=LA, numbers=(NEW_YORKER,)),
    Told("T6 clocks go forward", ["us-reg-f"], asks(
        "2026-03-08T11:59:00Z deny us-reg-f/hours", "2026-03-08T12:00:00Z allow"), **US),
    Told("T7 clocks go back", ["us-reg-f"], asks("2026-11-01T12:30:00Z deny us-reg-f/hours"), **US),
    Told("T9 toll-free", ["us-reg-f"], asks("2026-06-01T12:00:00-04:00 deny house/unknown-zone"),
         zone=None, numbers=("+18005550123",)),
    Told("T11 Australia", ["au-rg96"], asks(
        "2026-06-06T08:30:00+10:00 deny au-rg96/hours", "2026-11-03T11:00:00+11:00 allow",
        "2026-12-25T11:00:00+11:00 deny au-rg96/hours"), zone=MELBOURNE, numbers=(AUSTRALIAN,)),
    Told("T12 India", ["in-rbi"], asks(
        "2026-06-01T18:59:00+05:30 allow", "2026-06-01T19:00:00+05:30 deny in-rbi/hours",
        "2026-06-02T13:30:00+05:30 deny house/inconvenient"), zone=KOLKATA, numbers=(INDIAN,),
        party={"inconvenient": [{"days": ["tue"], "from": "13:00", "to": "14:00"}]}),
    Told("T14 seven in seven", ["us-reg-f"], asks("2026-06-08T10:00:00-04:00 allow"),
         contacts=days("no_answer", "06-01", *WEEK_BEFORE), **US),
    Told("T14 and again", ["us-reg-f"], asks("2026-06-08T17:00:00-04:00 deny us-reg-f/seven-in-seven"),
         contacts=days("no_answer", *WEEK_BEFORE, "06-08"), **US),
    Told("T15 no weekly reset", ["us-reg-f"], asks("2026-06-08T10:00:00-04:00 deny us-reg-f/seven-in-seven"),
         contacts=tuple((f"2026-06-0{6 + n % 2}T1{n}:00:00-04:00", {"outcome": "no_answer"}) for n in range(7)), **US),
    Told("T17 rest after a talk", ["us-reg-f"], asks(
        "2026-06-07T12:00:00-04:00 deny us-reg-f/after-conversation", "2026-06-08T09:00:00-04:00 allow"),
        contacts=days("conversation", "06-01", clock="T15:00:00-04:00"), **US),
    Told("T18 the debtor rang in", ["us-reg-f"], asks("2026-06-03T12:00:00-04:00 deny us-reg-f/after-conversation"),
         case={"debts": ["B"]}, contacts=days("conversation", "06-01", direction="inbound", debts=["A", "B"]), **US),
    Told("T18 about another debt", ["us-reg-f"], asks("2026-06-03T12:00:00-04:00 allow"),
         case={"debts": ["C"]}, contacts=days("conversation", "06-01", direction="inbound", debts=["A", "B"]), **US),
    Told("T19 voicemail", ["us-reg-f"], asks("2026-06-02T12:00:00-04:00 allow"), contacts=days("voicemail", "06-01"), **US),
    Told("T21 consent until Wednesday", ["us-reg-f"], asks(
        "2026-06-03T12:00:00-04:00 allow", "2026-06-04T12:00:00-04:00 deny us-reg-f/seven-in-seven"),
        party={"agreements": [CONSENT | {"until": "2026-06-04T00:00:00-04:00"}]},
        contacts=hours("no_answer", 7, "2026-05-31", "-04:00"), **US),
    Told("T21 consented calls do not count", ["us-reg-f"], asks("2026-06-08T12:00:00-04:00 allow"),
         contacts=days("no_answer", "06-01", *WEEK_BEFORE, "06-06", "06-07", consented=True), **US),
    Told("T23 all numbers of the person", ["us-reg-f"], asks("2026-06-08T12:00:00-04:00 deny us-reg-f/seven-in-seven"),
         zone=NY, numbers=(NEW_YORKER, WORK, "+12125550177"), number="+12125550177",
         contacts=days("no_answer", *WEEK_BEFORE) + days("no_answer", "06-07", number=WORK)),
    Told("T25 three talks a day, whatever the loan", ["cn-gbt-45251"], asks(
        "2026-06-01T15:00:00+08:00 deny cn-gbt-45251/conversations-per-day"),
         case={"debts": ["Y"]}, contacts=hours("conversation", 3, debts=["X"])),
    Told("T26 the client's robot and we together", ["cn-nifa-2024"], asks(
        "2026-06-01T15:00:00+08:00 deny cn-nifa-2024/connected-per-day"),
         contacts=hours("conversation", 2, by="client") + hours("conversation", 1)),
    Told("T28 six unanswered to the mobile", ["cn-cba-2026"], asks(
        "2026-06-01T18:00:00+08:00 deny cn-cba-2026/attempts-per-number"),
         numbers=(CN, CN_LANDLINE), contacts=hours("no_answer", 6)),
    Told("T28 the landline is another", ["cn-cba-2026"], asks("2026-06-01T18:00:00+08:00 allow"), number=CN_LANDLINE,
         numbers=(CN, CN_LANDLINE), contacts=hours("no_answer", 6)),
    Told("T31 two robot calls, no message left", ["us-ma"], asks("2026-06-05T12:00:00-04:00 deny us-ma/two-in-seven-days"),
         contacts=days("no_answer", "06-03", "06-04", by="client"), **US),
    Told("T32 New York City counts texts", ["us-nyc"], asks("2026-09-10T12:00:00-04:00 deny us-nyc/contacts-in-seven-days"),
         contacts=days("no_answer", "09-05", "09-06") + days("unknown", "09-07", channel="sms"), **US),
    Told("T33 three contacts a week", ["au-rg96"], asks(
        "2026-06-05T11:00:00+10:00 deny au-rg96/three-in-seven-days"), zone=MELBOURNE,
         numbers=(AUSTRALIAN,), contacts=days("conversation", "06-02", clock="T11:00:00+10:00")
         + days("voicemail", "06-03", clock="T11:00:00+10:00") + days("unknown", "06-04", clock="T11:00:00+10:00", channel="sms")),
    Told("T33 rung out is no contact", ["au-rg96"], asks("2026-06-05T11:00:00+10:00 allow"), zone=MELBOURNE,
         numbers=(AUSTRALIAN,), contacts=days("no_answer", "06-02", "06-03", clock="T11:00:00+10:00")),
    Told("T44 the debtor can be reached", ["cn-gbt-45251"], asks("2026-06-01T12:00:00+08:00 deny cn-gbt-45251/third-party"),
         party={"relation": "contact"}, purpose="message"),
    Told("T44 after three failures", ["cn-gbt-45251"], asks("2026-06-01T12:00:00+08:00 allow"),
         party={"relation": "contact"}, case={"failed_contacts": 3}, purpose="message"),
    Told("T44 after a refusal", ["cn-gbt-45251"], asks("2026-06-01T12:00:00+08:00 deny house/refused"), purpose="message",
         party={"relation": "contact", "refused_at": "2026-05-01T00:00:00Z"}, case={"failed_contacts": 3}),
    Told("T48 settled", ["cn-outsourcing"], asks("2026-06-01T12:00:00+08:00 deny house/settled"), case={"state": "settled"}),
    Told("T48 payment awaited", ["cn-outsourcing"], asks("2026-06-01T12:00:00+08:00 deny house/payment-pending"),
         case={"state": "payment_pending"}),
    Told("T48 the mandate's last day", ["cn-outsourcing"], asks(
        "2026-06-01T20:00:00+08:00 allow", "2026-06-02T12:00:00+08:00 deny house/mandate-expired"),
        case={"mandate_until": "2026-06-01"}),
    Told("a region adds its packs", [], asks("2026-06-05T12:00:00-04:00 deny us-ma/two-in-seven-days"), region="US-MA",
         contacts=days("no_answer", "06-03", "06-04"), **US),
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
async def test_a_story(desk: tuple[Service, Recorder], story: Told) -> None:
    service, _ = desk
    await service.put("/v1/policies/bank", "root", {"packs": story.packs, "house": story.house}, status=201)
    place = {"source": "address", "zone": story.zone} | ({"region": story.region} if story.region else {})
    someone = {"id": "p1", "relation": "debtor", "locations": [place] if story.zone else [], **story.party}
    someone["numbers"] = [{"e164": number} for number in story.numbers]
    body = {"client": "bank", "debts": ["d1"], "account": "a1", "parties": [someone], **story.case}
    with time_machine.travel(story.asks[0][0]):
        await service.put("/v1/cases/c1", "crm", body, status=201)
        for at, members in story.contacts:
            contact = {
                "party_id": "p1",
                "case_id": "c1",
                "number": story.numbers[0],
                "channel": "call",
                "at": at,
                **members,
            }
            await service.post("/v1/contacts", "crm", contact)
    question = {"case_id": "c1", "party_id": "p1", "number": story.number or story.numbers[0], "purpose": story.purpose}
    for at, verdict, rule in story.asks:
        with time_machine.travel(at, tick=False):
            said = await service.post("/v1/calls/check", "li", question, status=200)
        assert (said["verdict"], said["rule"]) == (verdict, rule), (at, said["reason"])
        if said["retry_at"]:
            await _allowed_then_and_not_before(service, question, said["retry_at"])


async def _allowed_then_and_not_before(service: Service, question: dict[str, Any], retry_at: str) -> None:
    then = datetime.fromisoformat(retry_at)
    for moment, expected in ((then.timestamp() - 1, "deny"), (then.timestamp(), "allow")):
        with time_machine.travel(moment, tick=False):
            assert (await service.post("/v1/calls/check", "li", question, status=200))["verdict"] == expected


PERSON = {
    "id": "p1",
    "relation": "debtor",
    "locations": [{"source": "address", "zone": SHANGHAI}],
    "numbers": [{"e164": CN}],
}
CHINESE = {"client": "bank", "debts": ["d1"], "parties": [PERSON]}
QUESTION = {"case_id": "c1", "party_id": "p1", "number": CN}
NOON = "2026-06-01T12:00:00+08:00"


async def test_t20_what_counts_of_four_unanswered_calls(desk: tuple[Service, Recorder]) -> None:
    service, _ = desk
    await service.put("/v1/policies/bank", "root", {"packs": ["us-reg-f"]}, status=201)
    await service.put("/v1/cases/c1", "crm", CHINESE, status=201)
    with time_machine.travel(NOON, tick=False):
        for hour, outcome in enumerate(("busy", "not_in_service", "no_answer", "dropped")):
            told = {
                "party_id": "p1",
                "case_id": "c1",
                "channel": "call",
                "outcome": outcome,
                "at": f"2026-06-01T0{hour}:00:00+08:00",
            }
            await service.post("/v1/contacts", "crm", told)
        counts = (await service.post("/v1/calls/check", "li", QUESTION, status=200))["counts"]
    assert {count["rule"]: count["used"] for count in counts}["us-reg-f/seven-in-seven"] == 2


async def test_t30_spouses_with_one_landline_have_caps_of_their_own(desk: tuple[Service, Recorder]) -> None:
    service, _ = desk
    await service.put("/v1/policies/bank", "root", {"packs": ["us-reg-f"]}, status=201)
    for one in ("a", "b"):
        person = {
            "id": one,
            "relation": "debtor",
            "locations": [{"source": "address", "zone": NY}],
            "numbers": [{"e164": SHARED}],
        }
        await service.put(
            f"/v1/cases/c-{one}", "crm", {"client": "bank", "debts": [one], "parties": [person]}, status=201
        )
    with time_machine.travel("2026-06-08T12:00:00-04:00", tick=False):
        for at, members in days("no_answer", "06-02", *WEEK_BEFORE):
            told = {"party_id": "a", "case_id": "c-a", "number": SHARED, "channel": "call", "at": at, **members}
            await service.post("/v1/contacts", "crm", told)
        verdicts = {
            one: await service.post(
                "/v1/calls/check", "li", {"case_id": f"c-{one}", "party_id": one, "number": SHARED}, status=200
            )
            for one in ("a", "b")
        }
    assert (verdicts["a"]["verdict"], verdicts["b"]["verdict"]) == ("deny", "allow")
    assert verdicts["b"]["warnings"]


async def test_t45_while_a_complaint_is_open_only_its_handling_may_call(desk: tuple[Service, Recorder]) -> None:
    service, _ = desk
    with time_machine.travel(NOON, tick=False):
        await service.put("/v1/cases/c1", "crm", CHINESE, status=201)
        complaint = await service.post("/v1/complaints", "chen", {"case_id": "c1", "severity": "general", "text": "x"})
        assert (await service.post("/v1/calls/check", "li", QUESTION, status=200))["rule"] == "house/complaint-open"
        about = QUESTION | {"purpose": "complaint"}
        assert (await service.post("/v1/calls/check", "li", about, status=200))["verdict"] == "deny"
        assert (await service.post("/v1/calls/check", "chen", about, status=200))["verdict"] == "allow"
        await service.post(f"/v1/complaints/{complaint['id']}/close", "chen", {"ruling": "justified"}, status=200)
        assert (await service.post("/v1/calls/check", "li", QUESTION, status=200))[
            "rule"
        ] == "house/complaint-not-instructed"


async def test_t50_without_a_healthy_recorder_nobody_calls_unless_the_client_says_so(
    desk: tuple[Service, Recorder],
) -> None:
    service, recorder = desk
    recorder.healthy = False
    with time_machine.travel(NOON, tick=False):
        await service.put("/v1/cases/c1", "crm", CHINESE, status=201)
        assert (await service.post("/v1/calls/check", "li", QUESTION, status=200))["rule"] == "house/recorder-unhealthy"
        await service.put("/v1/policies/bank", "root", {"packs": [], "house": {"recorder_required": False}}, status=201)
        assert (await service.post("/v1/calls/check", "li", QUESTION, status=200))["verdict"] == "allow"


@pytest.mark.parametrize(
    ("house", "field"),
    [
        ({"caps": [{"limit": -1, "days": 1}]}, "house.caps.0.limit"),
        ({"caps": [{"limit": 1}]}, "house.caps.0"),
        ({"caps": [{"limit": 1, "days": 1, "per": ["planet"]}]}, "house.caps.0.per.0"),
        ({"hours": "8-20"}, "house.hours.0.from"),
        ({"hours": [{"days": ["funday"]}]}, "house.hours.0.days.0"),
        ({"guard_seconds": 1e9}, "house.guard_seconds"),
    ],
)
async def test_a_value_that_makes_no_sense_is_refused_by_name(
    desk: tuple[Service, Recorder], house: dict[str, Any], field: str
) -> None:
    service, _ = desk
    problem = await service.put("/v1/policies/bank", "root", {"packs": [], "house": house}, status=422)
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2026-06-01T12:00:00"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": "2201-01-01T00:00:00Z"},
        {"at": 1},
        {"outcome": "reserved"},
        {"channel": "fax"},
        {"by": "somebody"},
        {"surprise": 1},
    ],
)
async def test_a_contact_that_makes_no_sense_is_refused(desk: tuple[Service, Recorder], change: dict[str, Any]) -> None:
    service, _ = desk
    await service.put("/v1/cases/c1", "crm", CHINESE, status=201)
    told = {"party_id": "p1", "case_id": "c1", "channel": "call", "at": NOON, **change}
    problem = await service.post("/v1/contacts", "crm", told, status=422)
    assert problem["errors"][0]["field"] == next(iter(change))
