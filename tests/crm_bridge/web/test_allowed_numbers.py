"""The list of numbers that phones may call without a case."""

import pytest

from tests.support.api import Service


@pytest.fixture
async def desk(service: Service) -> Service:
    """An admin and a supervisor."""
    await service.add("root", "admin")
    await service.add("chen", "supervisor")
    return service


COURIER = {"number": "0138 0013 8000", "reason": "courier"}


async def test_a_number_is_listed_once_and_taken_off_again_with_a_trace(desk: Service) -> None:
    added = await desk.post("/v1/allowed-numbers", "root", COURIER)
    assert (added["number"], added["pbx"], added["created_by"]) == ("+8613800138000", None, "root")
    await desk.post("/v1/allowed-numbers", "root", COURIER | {"number": "+8613800138000"}, status=409)
    for_bank = await desk.post("/v1/allowed-numbers", "root", COURIER | {"client": "bank", "pbx": "main"})
    hotline = await desk.post("/v1/allowed-numbers", "root", {"number": "95588", "reason": "the bank's hotline"})
    assert hotline["number"] == "95588"
    listed = await desk.get("/v1/allowed-numbers?limit=2", "chen")
    assert listed["items"] == [added, for_bank]
    rest = await desk.get(f"/v1/allowed-numbers?cursor={listed['next_cursor']}", "chen")
    assert (rest["items"], rest["next_cursor"]) == ([hotline], None)
    assert (await desk.ask("DELETE", f"/v1/allowed-numbers/{added['id']}", "root")).status == 204
    assert (await desk.ask("DELETE", f"/v1/allowed-numbers/{added['id']}", "root")).status == 404
    assert len((await desk.get("/v1/allowed-numbers", "root"))["items"]) == 2
    kinds = [
        (entry.kind, entry.data["number"])
        for entry in await desk.journal("allowed_number.added", "allowed_number.removed")
    ]
    assert kinds[0] == ("allowed_number.added", "+8613800138000")
    assert kinds[-1] == ("allowed_number.removed", "+8613800138000")


@pytest.mark.parametrize(
    "change",
    [{"number": "110"}, {"number": "12"}, {"number": "138001380000000"}, {"number": "95588&PJSIP/x"}, {"reason": ""},
     {"pbx": "elsewhere"}, {"for": "me"}],
)  # fmt: skip
async def test_what_is_no_number_is_not_listed(desk: Service, change: dict[str, str]) -> None:
    await desk.post("/v1/allowed-numbers", "root", COURIER | change, status=422)


async def test_only_admins_let_numbers_out(desk: Service) -> None:
    await desk.post("/v1/allowed-numbers", "chen", COURIER, status=403)
    assert (await desk.ask("DELETE", "/v1/allowed-numbers/x", "chen")).status == 403
