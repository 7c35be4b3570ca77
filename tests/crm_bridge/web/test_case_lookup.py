"""Finding cases by number, card, identity and the end of their mandate; shared debts; where a number is from."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from config import clock
from crm_bridge.cases.number_places import NumberPlaces, looked_up
from crm_bridge.notes.tables import number_places
from tests.support.api import Service
from tests.support.desk import LANDLINE, MOBILE, case, party

IDENTITY = "41010119900307751X"


@pytest.fixture
async def desk(service: Service) -> Service:
    """Three cases, two of one person, one of them of another client."""
    for name, role in (("crm", "crm"), ("chen", "supervisor")):
        await service.add(name, role)
    await service.add("li", "collector", team="north", clients=["bank"])
    today = clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date()
    ends = (today + timedelta(days=5)).isoformat()
    one = party(identity=IDENTITY)
    await service.put("/v1/cases/c1", "crm", case(parties=[one], mandate_until=ends, debts=["D/1", "债2"]), status=201)
    await service.put("/v1/cases/c2", "crm", case(client="other", parties=[one], account="a2"), status=201)
    other = party("p9", LANDLINE, name="赵敏")
    await service.put("/v1/cases/c3", "crm", case(parties=[other], account="6225%_", debts=[]), status=201)
    return service


async def found(desk: Service, query: str, user: str = "chen") -> list[str]:
    return [one["id"] for one in (await desk.get(f"/v1/cases?{query}", user))["items"]]


@pytest.mark.parametrize(
    ("query", "cases"),
    [
        (f"identity={IDENTITY}", ["c1", "c2"]),
        (f"identity={IDENTITY.lower()}", ["c1", "c2"]),
        (f"q={IDENTITY.lower()}", ["c1", "c2"]),
        ("identity=4101", []),
        ("card=a2", ["c2"]),
        ("card=D/1", ["c1"]),
        ("card=债2", ["c1"]),
        ("card=D", []),
        ("card=6225%25_", ["c3"]),
        ("card=62251_", []),
        ('card="', []),
        ("q=D/1", ["c1"]),
        ("number=13800138000", ["c1", "c2"]),
        ("returns_in=5", ["c1"]),
        ("returns_in=4", []),
    ],
)
async def test_a_look_up_finds_every_match_and_nothing_else(desk: Service, query: str, cases: list[str]) -> None:
    assert await found(desk, query) == cases


async def test_a_look_up_ends_at_what_the_reader_may_see(desk: Service) -> None:
    assert await found(desk, f"identity={IDENTITY}", "li") == ["c1"]
    await desk.get("/v1/cases?returns_in=-1", "chen", status=422)


async def test_shared_debts_are_other_cases_of_the_same_person(desk: Service) -> None:
    (other,) = (await desk.get("/v1/cases/c1/related", "chen"))["items"]
    assert (other["case_id"], other["client"], other["relation"], other["debts"]) == ("c2", "other", "debtor", 1)
    assert (await desk.get("/v1/cases/c1/related", "li"))["items"] == []
    await desk.get("/v1/cases/c2/related", "li", status=404)


async def test_region_and_carrier_are_looked_up_once_and_shown(desk: Service) -> None:
    places = NumberPlaces(desk.database)
    assert await places.tick(clock.now()) == 2
    assert await places.tick(clock.now()) == 0
    shown: dict[str, Any] = (await desk.get("/v1/cases/c1", "chen"))["parties"][0]["numbers"][0]
    assert shown["place"]["carrier"] == {"en": "China Mobile", "zh": "中国移动"}
    async with desk.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(number_places)) == 2


async def test_a_number_of_nowhere_has_no_place(desk: Service) -> None:
    answer = await looked_up([MOBILE, "+80012345678", "nonsense"])
    assert answer["nonsense"]["region"] == {"en": "", "zh": ""}
    assert answer[MOBILE]["region"]["zh"] == "北京市"
