"""A client goes: whole, once nothing stands against it, and with everything that it takes to undo it."""

from sqlalchemy import select, update

from config import clock
from crm_bridge.tables import cases
from recordings.retention_tables import holds
from telephony.tables import calls
from tests.support.api import Service
from tests.support.desk import finished_call
from tests.support.foreign_worlds import furnish

SOUTH = "/v1/clients/otherbank"


async def _furnished(service: Service) -> None:
    await furnish(service.database)
    await service.add("root", "admin")


async def test_a_client_with_holds_and_open_cases_is_refused_with_all_that_stands_against_it(service: Service) -> None:
    await _furnished(service)
    problem = await _refused(service)
    assert problem["against"] == [
        "1 holds that are not released", "1 cases that are open", "1 connected CRMs", "1 inbound routes",
    ]  # fmt: skip
    assert (await service.get("/v1/policies/otherbank", "root"))["packs"] == ["house"]
    assert await service.journal("client.removed") == []


async def test_a_hold_alone_keeps_it_though_every_case_is_closed(service: Service) -> None:
    await service.add("root", "admin")
    await service.put("/v1/policies/solo", "root", {"packs": []}, status=201)
    await service.add("crm", "crm")
    await service.put("/v1/cases/c1", "crm", {"client": "solo", "debts": ["d"]}, status=201)
    await finished_call(service.database, clock.now(), case_id="c1", client="solo")
    async with service.database.write() as transaction:
        await transaction.execute(update(cases).values(state="closed"))
    hold = {"matter": "audit", "kind": "audit", "case_id": "c1", "reason": "because"}
    made = await service.post("/v1/holds", "root", hold)
    problem = await service.ask("DELETE", "/v1/clients/solo?reason=gone", "root")
    assert (problem.status, (await problem.json())["against"]) == (409, ["1 holds that are not released"])
    assert (await service.ask("DELETE", f"/v1/holds/{made['id']}?reason=over", "root")).status in (200, 204)
    assert (await service.ask("DELETE", "/v1/clients/solo?reason=gone", "root")).status == 204


async def test_it_goes_whole_its_records_stay_and_the_journal_has_what_it_was(service: Service) -> None:
    await service.add("root", "admin")
    await service.put("/v1/policies/solo", "root", {"packs": ["cn-outsourcing"]}, status=201)
    codes = {"codes": [{"code": "A", "label": {"zh": "字", "en": "a"}}]}
    await service.put("/v1/action-codes/solo", "root", codes, status=201)
    await finished_call(service.database, clock.now(), client="solo")
    assert (await service.ask("DELETE", "/v1/clients/solo?reason=contract+over", "root")).status == 204
    await service.get("/v1/policies/solo", "root", status=404)
    async with service.database.read() as connection:
        assert (await connection.execute(select(calls.c.client))).scalars().all() == ["solo"]
    (entry,) = await service.journal("client.removed")
    assert (entry.client, entry.data["reason"]) == ("solo", "contract over")
    (policy,) = entry.data["before"]["policies"]
    await service.put("/v1/policies/solo", "root", {"packs": policy["packs"], "zone": policy["zone"]}, status=201)
    assert entry.data["before"]["action_code_sets"][0]["codes"]["codes"][0]["code"] == "A"
    assert (await service.ask("DELETE", "/v1/clients/solo?reason=again", "root")).status == 204


async def test_who_is_bound_elsewhere_and_a_client_of_no_settings_are_told(service: Service) -> None:
    await _furnished(service)
    await service.add("theirs", "admin", clients=["bank"])
    assert (await service.ask("DELETE", f"{SOUTH}?reason=x", "theirs")).status == 403
    assert (await service.ask("DELETE", "/v1/clients/nobody?reason=x", "root")).status == 404
    assert (await service.ask("DELETE", f"{SOUTH}?why=x", "root")).status == 422


async def _refused(service: Service) -> dict[str, list[str]]:
    async with service.database.read() as connection:
        assert (await connection.execute(select(holds.c.released_at))).scalars().all() == [None, None]
    answer = await service.ask("DELETE", f"{SOUTH}?reason=gone", "root")
    assert answer.status == 409
    document: dict[str, list[str]] = await answer.json()
    return document
