"""Views of personal data are in the journal: who opened which case, who searched by what, never what was typed."""

from datetime import timedelta
from typing import Any

from config import clock
from tests.support.api import Service

CASE = {
    "client": "bank", "debts": ["d1"], "account": "6222020200012345",
    "parties": [{"id": "p1", "relation": "debtor", "name": "欧阳若曦", "numbers": [{"e164": "+8613800138000"}]}],
}  # fmt: skip


async def _desk(service: Service) -> None:
    await service.add("crm", "crm")
    await service.add("chen", "supervisor", clients=["bank"])
    await service.put("/v1/cases/c1", "crm", CASE, status=201)


async def test_who_opens_a_case_or_searches_is_in_the_journal_and_what_was_typed_is_not(service: Service) -> None:
    await _desk(service)
    await service.get("/v1/cases/c1", "chen")
    await service.get("/v1/cases?number=13800138000", "chen")
    await service.get("/v1/cases?q=欧阳", "chen")
    (seen,) = await service.journal("case.viewed")
    assert (seen.actor, seen.client, seen.case_id) == ("chen", "bank", "c1")
    searches = await service.journal("case.searched")
    assert [(one.actor, one.data) for one in searches] == [
        ("chen", {"by": ["number"], "found": 1}),
        ("chen", {"by": ["q"], "found": 1}),
    ]
    told = str([(one.data, one.case_id) for one in (seen, *searches)])
    assert "欧阳" not in told
    assert "13800138000" not in told


async def test_looking_again_within_ten_minutes_is_the_same_look(service: Service, time_machine: Any) -> None:
    await _desk(service)
    start = clock.now()
    time_machine.move_to(start, tick=False)
    for minutes in (0, 4, 9, 11):
        time_machine.move_to(start + timedelta(minutes=minutes), tick=False)
        await service.get("/v1/cases/c1", "chen")
    assert len(await service.journal("case.viewed")) == 2


async def test_a_crms_server_and_a_list_of_ones_own_work_are_no_views(service: Service) -> None:
    await _desk(service)
    await service.get("/v1/cases/c1", "crm")
    await service.get("/v1/cases", "chen")
    await service.get("/v1/cases?mine=true", "chen")
    assert await service.journal("case.viewed", "case.searched") == []
