"""Quality audit: what a form comes to, samples that nobody can steer, reviews and the clocks of their findings."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from config import clock
from crm_bridge.qa import samples
from crm_bridge.qa.forms import Question, Text, score
from crm_bridge.qa.samples import Call, draw
from crm_bridge.tables import cases
from telephony.tables import calls
from tests.support.api import Service
from tests.support.desk import finished_call

ZONE = "Asia/Shanghai"
MORNING = datetime(2026, 6, 2, 1, tzinfo=UTC)  # nine o'clock there
YESTERDAY = MORNING - timedelta(days=1)
HOSTILE = "<b>\u202eteam"


def _question(name: str, weight: float = 1, points: int = 5, critical: bool = False) -> Question:
    return Question(id=name, text=Text(en=name, zh=name), weight=weight, points=points, critical=critical)


QUESTIONS = [_question("a", 3), _question("b"), _question("c", points=1, critical=True)]


def test_a_score_is_the_weighted_mean_of_what_applies() -> None:
    assert score(QUESTIONS, {"a": 5, "b": 0, "c": 1}).score == 80.0
    assert score(QUESTIONS, {"a": 5, "b": None, "c": None}).score == 100.0
    assert score(QUESTIONS, {"a": None, "b": None, "c": None}).score is None


def test_a_critical_question_without_a_point_makes_it_nothing() -> None:
    scored = score(QUESTIONS, {"a": 5, "b": 5, "c": 0})
    assert (scored.score, scored.failed) == (0.0, ("c",))


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40), st.sampled_from("ABC")), max_size=120),
    st.integers(1, 12),
    st.text("0123456789abcdef", min_size=8, max_size=8),
)
def test_each_group_gives_its_cases_whatever_is_there(rows: list[tuple[int, int, str]], number: int, seed: str) -> None:
    found = {one: Call(f"call{one}", f"{group}{case_}", group, "li", None) for one, case_, group in rows}
    drawn = [call for _, call in draw(found.values(), number, seed)]
    of_group: dict[str, set[str]] = defaultdict(set)
    for call in found.values():
        of_group[call.group].add(call.case)
    taken = Counter(call.group for call in drawn)
    assert taken == {group: min(number, len(cases)) for group, cases in of_group.items()}
    assert len({(call.group, call.case) for call in drawn}) == len(drawn)
    assert drawn == [call for _, call in draw(reversed(list(found.values())), number, seed)]


@pytest.fixture
async def desk(service: Service) -> Service:
    """Two teams, fifteen cases each, most with calls yesterday; people of each role."""
    for name, role, more in (
        ("chen", "qa", {}), ("south-qa", "qa", {"clients": ["south"]}), ("boss", "admin", {}), ("crm", "crm", {}),
        ("head", "supervisor", {"team": HOSTILE, "extension": "1009"}), ("li", "collector", {"team": HOSTILE, "extension": "1001"}),
        ("wang", "collector", {"team": "B", "extension": "1002"}),
    ):  # fmt: skip
        await service.add(name, role, **more)
    for number in range(12):
        for agent in ("li", "wang"):
            name = f"{agent}{number}"
            await _case(service, name, agent)
            for again in range(1 + number % 3):
                at = YESTERDAY + timedelta(minutes=number, seconds=again)
                moments = {
                    "created_at": at,
                    "connected_at": at + timedelta(seconds=9),
                    "ended_at": at + timedelta(seconds=69),
                }
                await finished_call(service.database, at, agent=agent, case_id=name, **moments)
    return service


async def _case(service: Service, name: str, collector: str) -> None:
    known: dict[str, Any] = {"state": "open", "upserted_state": "open", "debts": [], "created_at": YESTERDAY}
    flags = dict.fromkeys(("dispute", "fraud_statement"), False)
    values = {"id": name, "client": "bank", "collector": collector, "debtor_reachable": True, "failed_contacts": 0}
    async with service.database.write() as transaction:
        await transaction.execute(insert(cases).values(**known, **flags, **values, updated_at=YESTERDAY))


async def _daily(service: Service) -> dict[str, Any]:
    assert await samples.make_daily(service.database, ZONE, MORNING) == 1
    (sample,) = (await service.get("/v1/qa/samples?kind=daily", "chen"))["items"]
    found: dict[str, Any] = sample
    return found


async def test_the_days_sample_has_ten_cases_of_each_group_drawn_once_and_anyone_can_draw_it_again(
    desk: Service,
) -> None:
    made = await asyncio.gather(*(samples.make_daily(desk.database, ZONE, MORNING) for _ in range(3)))
    assert sum(made) == 1
    sample = (await desk.get("/v1/qa/samples", "chen"))["items"][0]
    groups = Counter(call["group"] for call in sample["calls"])
    assert groups == {HOSTILE: 10, "B": 10}
    assert len({call["case_id"] for call in sample["calls"]}) == 20
    (entry,) = await desk.journal("qa.sampled")
    assert entry.data["seed"] == sample["seed"]
    async with desk.database.read() as connection:
        everything = (await connection.execute(select(calls))).all()
    assert entry.data["among"] == len(everything)
    listed = "\n".join(sorted(call.id for call in everything))
    assert entry.data["among_sha256"] == hashlib.sha256(listed.encode()).hexdigest()
    again = draw((Call(one.id, one.case_id, one.agent, "", None) for one in everything), 10, sample["seed"])
    assert {call.id for _, call in again} == set(entry.data["calls"])


async def test_a_day_is_drawn_only_after_it_is_over(desk: Service) -> None:
    midnight = datetime(2026, 6, 2, tzinfo=ZoneInfo(ZONE))
    assert await samples.make_daily(desk.database, ZONE, midnight + timedelta(minutes=29)) == 0
    assert await samples.make_daily(desk.database, ZONE, midnight + timedelta(minutes=30)) == 1
    assert await samples.make_daily(desk.database, ZONE, midnight + timedelta(hours=23)) == 0


async def test_a_leader_sees_the_ten_of_the_own_group_and_a_client_bound_auditor_its_clients(desk: Service) -> None:
    sample = await _daily(desk)
    mine = await desk.get(f"/v1/qa/samples/{sample['id']}", "head")
    assert {call["group"] for call in mine["calls"]} == {HOSTILE}
    theirs = await desk.get(f"/v1/qa/samples/{sample['id']}", "south-qa")
    assert theirs["calls"] == []
    for user in ("li", "crm"):
        await desk.get("/v1/qa/samples", user, status=403)
        await desk.get("/v1/qa/reviews", user, status=403)


async def test_a_spot_check_says_why_and_draws_among_what_its_maker_sees(desk: Service) -> None:
    day = {"from": YESTERDAY.isoformat(), "to": MORNING.isoformat(), "reason": "a hint"}
    sample = await desk.post("/v1/qa/samples", "head", {**day, "rule": {"by": "agent", "per_group": 3}})
    assert [(call["group"], call["position"]) for call in sample["calls"]] == [("li", 1), ("li", 2), ("li", 3)]
    (entry,) = await desk.journal("qa.sampled")
    assert (entry.actor, entry.data["reason"]) == ("head", "a hint")
    await desk.post("/v1/qa/samples", "south-qa", day, status=422)
    await desk.post("/v1/qa/samples", "south-qa", {**day, "rule": {"client": "bank"}}, status=403)
    await desk.post("/v1/qa/samples", "head", {**day, "to": day["from"]}, status=422)
    await desk.post("/v1/qa/samples", "head", {**day, "rule": {"by": "mood"}}, status=422)
    await desk.get(f"/v1/qa/samples/{sample['id']}", "south-qa", status=404)


async def _scores(service: Service, **given: Any) -> dict[str, Any]:
    (form,) = (await service.get("/v1/qa/forms", "chen"))["items"]
    return {question["id"]: question["points"] for question in form["questions"]} | given


async def test_a_finding_opens_its_clock_and_everything_is_journalled(desk: Service) -> None:
    sample = await _daily(desk)
    call = sample["calls"][0]
    body = {"call_id": call["call_id"], "sample_id": sample["id"], "scores": await _scores(desk, lawful=0)}
    await desk.post("/v1/qa/reviews", "chen", {**body, "finding": "major"}, status=422)
    review = await desk.post("/v1/qa/reviews", "chen", {**body, "finding": "major", "comment": "a threat <b>"})
    assert (review["score"], review["failed"], review["agent"]) == (0.0, ["lawful"], call["agent"])
    (due,) = (await desk.get("/v1/deadlines?kind=qa-finding", "chen"))["items"]
    assert (due["owner"], due["text"], due["case_id"]) == ("chen", "a threat <b>", call["case_id"])
    assert datetime.fromisoformat(due["due_at"]) - datetime.fromisoformat(due["opened_at"]) == timedelta(hours=24)
    (entry,) = await desk.journal("qa.reviewed")
    assert (entry.actor, entry.agent, entry.data["score"]) == ("chen", call["agent"], 0.0)
    await desk.post("/v1/qa/reviews", "chen", body, status=409)
    shown = (await desk.get(f"/v1/qa/samples/{sample['id']}", "chen"))["calls"][0]["review"]
    assert shown == {"id": review["id"], "score": 0.0, "finding": "major", "reviewer": "chen"}
    minor = {**body, "call_id": sample["calls"][1]["call_id"], "finding": "minor", "comment": "too fast"}
    await desk.post("/v1/qa/reviews", "boss", minor)
    assert len((await desk.get("/v1/deadlines?kind=finding-report", "boss"))["items"]) == 1
    assert [one["finding"] for one in (await desk.get("/v1/qa/reviews", "boss"))["items"]] == ["minor", "major"]


async def test_what_does_not_fit_is_refused(desk: Service) -> None:
    sample, scores = await _daily(desk), await _scores(desk)
    call_id = sample["calls"][0]["call_id"]
    for changed, status in (
        ({"scores": {**scores, "lawful": 2}}, 422), ({"scores": {"lawful": 1}}, 422), ({"scores": {**scores, "moon": 1}}, 422),
        ({"call_id": "nothing"}, 404), ({"form_id": "nothing"}, 404), ({"sample_id": "nothing"}, 404),
    ):  # fmt: skip
        await desk.post("/v1/qa/reviews", "chen", {"call_id": call_id, "scores": scores, **changed}, status=status)
    await desk.post("/v1/qa/reviews", "south-qa", {"call_id": call_id, "scores": scores}, status=404)
    mine = await finished_call(desk.database, clock.now(), agent="head", case_id="li1")
    await desk.post("/v1/qa/reviews", "head", {"call_id": mine, "scores": scores}, status=403)


async def test_a_form_is_data_and_a_review_keeps_the_questions_it_was_scored_by(desk: Service) -> None:
    ask = {"id": "kind", "text": {"en": "Kind?", "zh": "友善?"}, "weight": 1, "points": 2, "critical": False}
    form = {"name": "短 <b>", "questions": [ask]}
    made = await desk.post("/v1/qa/forms", "chen", {"id": "short", **form})
    assert made["version"] == 1
    await desk.post("/v1/qa/forms", "chen", {"id": "short", **form}, status=409)
    await desk.put("/v1/qa/forms/short", "head", form, status=403)
    await desk.put("/v1/qa/forms/none", "chen", form, status=404)
    await desk.put("/v1/qa/forms/short", "chen", {**form, "questions": [ask, ask]}, status=422)
    sample = await _daily(desk)
    body = {"call_id": sample["calls"][0]["call_id"], "form_id": "short", "scores": {"kind": 1}}
    review = await desk.post("/v1/qa/reviews", "chen", body)
    changed = await desk.put(
        "/v1/qa/forms/short", "chen", {**form, "questions": [{**ask, "points": 9}], "active": False}
    )
    assert (changed["version"], changed["active"]) == (2, False)
    kept = await desk.get(f"/v1/qa/reviews/{review['id']}", "boss")
    assert (kept["score"], kept["form_version"], kept["questions"][0]["points"]) == (50.0, 1, 2)
    await desk.post("/v1/qa/reviews", "boss", body, status=409)
    assert len(await desk.journal("qa.form_changed")) == 2


async def test_a_day_of_more_than_two_hundred_thousand_calls_is_drawn_whole(service: Service) -> None:
    """Ids run on past the two hundred thousandth: whoever came last can be drawn like whoever came first."""
    await finished_call(service.database, YESTERDAY, agent="li")
    many = 200_500
    columns = [column.name for column in calls.c if column.name not in ("id", "agent", "case_id")]
    copied = ", ".join(f'"{name}"' for name in columns)
    numbers = (
        f"SELECT generate_series(1, {many}) AS n"
        if service.database.is_postgres
        else f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {many}) SELECT n FROM s"
    )
    identifier = "'z' || substr('00000000' || CAST(n AS text), -8)"
    if service.database.is_postgres:
        identifier = "'z' || lpad(n::text, 8, '0')"
    last = f"CASE WHEN n = {many} THEN 'last' ELSE 'li' END"
    statement = (
        f"INSERT INTO calls (id, agent, case_id, {copied}) SELECT {identifier}, {last}, {identifier}, {copied} "
        f"FROM ({numbers}) AS many CROSS JOIN (SELECT {copied} FROM calls LIMIT 1) AS one"
    )
    async with service.database.write() as transaction:
        await transaction.execute(text(statement))
    assert await samples.make_daily(service.database, ZONE, MORNING) == 1
    (entry,) = await service.journal("qa.sampled")
    assert entry.data["among"] == many + 1
    ids = sorted([*(f"z{number:08}" for number in range(1, many + 1)), *(await _ids_of(service, "li", "c1"))])
    assert entry.data["among_sha256"] == hashlib.sha256("\n".join(ids).encode()).hexdigest()
    assert len(entry.data["calls"]) == 10


async def _ids_of(service: Service, agent: str, case_id: str) -> list[str]:
    async with service.database.read() as connection:
        wanted = select(calls.c.id).where(calls.c.agent == agent, calls.c.case_id == case_id)
        return list(await connection.scalars(wanted))
