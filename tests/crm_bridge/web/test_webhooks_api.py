"""Webhooks through the API: made, changed, tested, their secrets replaced; where one may not be sent, and what it may show."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from config import clock
from crm_bridge.web import keys
from crm_bridge.webhooks.guard import Guard
from tests.crm_bridge.outbox.conftest import Outside, crm, services_of
from tests.support.api import Service
from tests.support.webhook_receiver import Receiver

__all__ = ["crm"]
OUTSIDE = "https://hooks.example.com/ringfence"


@pytest.fixture
async def desk(service: Service, tmp_path: Path) -> Service:
    """An admin, a supervisor, a CRM; webhooks may tell this machine."""
    await service.add("root", "admin")
    await service.add("chen", "supervisor")
    await service.add("crm", "crm")
    return service


async def allowed(desk: Service, folder: Path) -> Outside:
    """The outbox beside the API, on the same keys, and both may tell this machine."""
    outside = Outside(desk.database, services_of(desk.database, folder))
    app = desk.client.app
    assert app is not None
    app[keys.WEBHOOKS].sender.guard = Guard(("127.0.0.0/8",))
    return outside


async def test_a_webhook_is_made_with_a_secret_that_is_shown_once(desk: Service) -> None:
    made = await desk.post("/v1/webhooks", "root", {"url": OUTSIDE, "events": ["call.ended", "complaint.*"]})
    assert made["secret"].startswith("whsec_")
    assert (made["name"], made["enabled"], made["state"]) == ("hooks.example.com", True, "on")
    shown = await desk.get(f"/v1/webhooks/{made['id']}", "root")
    listed = await desk.get("/v1/webhooks", "root")
    assert "secret" not in shown
    assert listed["items"] == [shown]
    changed = await desk.patch(
        f"/v1/webhooks/{made['id']}", "root", {"name": "CRM", "enabled": False, "reason": "later"}
    )
    assert (changed["name"], changed["state"], changed["reason"], changed["url"]) == ("CRM", "off", "later", OUTSIDE)
    whole = await desk.put(f"/v1/webhooks/{made['id']}", "root", {"url": OUTSIDE})
    assert (whole["events"], whole["state"], whole["name"]) == (["note.written"], "on", "CRM")
    assert (await desk.ask("DELETE", f"/v1/webhooks/{made['id']}", "root")).status == 204
    await desk.get(f"/v1/webhooks/{made['id']}", "root", status=404)
    told = await desk.journal("destination.created", "destination.changed", "destination.deleted")
    assert (told[0].kind, told[-1].kind) == ("destination.created", "destination.deleted")
    assert made["secret"] not in str([entry.data for entry in told])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "ftp://hooks.example.com/"}, "url"),
        ({"url": "not a url"}, "url"),
        ({"url": "https://name:word@hooks.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data/"}, "url"),
        ({"url": "https://192.168.1.1:8443/"}, "url"),
        ({"url": "https://100.64.0.1/"}, "url"),
        ({"url": "https://[64:ff9b::7f00:1]/"}, "url"),
        ({"url": "https://0.0.0.0/"}, "url"),
        ({"url": "https://127.1/"}, "url"),
        ({"url": "https://2130706433/"}, "url"),
        ({"url": OUTSIDE, "events": ["call.endet"]}, "events.0"),
        ({"url": OUTSIDE, "events": ["note.final"]}, "events.0"),
        ({"url": OUTSIDE, "events": ["nothing.*"]}, "events.0"),
        ({"url": OUTSIDE, "events": []}, "events"),
        ({"url": OUTSIDE, "clients": [""]}, "clients.0"),
        ({"url": OUTSIDE, "shown_as": "boss"}, "shown_as"),
        ({"url": OUTSIDE, "odd": 1}, "odd"),
        ({}, "url"),
    ],
)
async def test_what_cannot_be_is_refused(desk: Service, body: dict[str, Any], field: str) -> None:
    answer = await desk.post("/v1/webhooks", "root", body, status=422)
    assert answer["errors"][0]["field"] == field


@pytest.mark.parametrize("user", ["chen", "crm"])
async def test_webhooks_are_an_admins(desk: Service, user: str) -> None:
    await desk.post("/v1/webhooks", user, {"url": OUTSIDE}, status=403)
    for path in ("/v1/webhooks", "/v1/destinations", "/v1/deliveries"):
        await desk.get(path, user, status=403)


@pytest.mark.parametrize("name", ["localhost", "0x7f.1", "0x7f000001"])
async def test_a_name_that_leads_inside_is_never_connected_to(desk: Service, crm: Receiver, name: str) -> None:
    made = await desk.post("/v1/webhooks", "root", {"url": f"https://{name}:{crm.port}/"})
    said = await desk.post(f"/v1/webhooks/{made['id']}/ping", "root", None, status=200)
    assert said["result"] == "refused"
    assert crm.received == []


async def test_a_test_message_is_sent_at_once_and_logged(desk: Service, crm: Receiver, tmp_path: Path) -> None:
    await allowed(desk, tmp_path)
    made = await desk.post("/v1/webhooks", "root", {"url": crm.url, "enabled": False})
    crm.script.append("html")
    for status, result in ((500, "later"), (200, "delivered")):
        said = await desk.post(f"/v1/webhooks/{made['id']}/ping", "root", None, status=200)
        assert (said["status"], said["result"]) == (status, result)
    assert crm.received[1].verified(made["secret"])["type"] == "webhook.ping"
    log = await desk.get(f"/v1/destinations/{made['id']}/tries", "root")
    assert [(one["status"], one["item_id"]) for one in log["items"]] == [(200, None), (500, None)]
    assert "unknown field" in log["items"][1]["answer"]


async def test_while_a_secret_is_replaced_both_are_valid(desk: Service, crm: Receiver, tmp_path: Path) -> None:
    outside = await allowed(desk, tmp_path)
    made = await desk.post("/v1/webhooks", "root", {"url": crm.url, "events": ["call.*"]})
    await outside.happen("call.created")
    await outside.tell()
    turned = await desk.post(f"/v1/webhooks/{made['id']}/rotate", "root", {"overlap_hours": 24}, status=200)
    assert turned["secret"] != made["secret"]
    assert turned["old_secret_until"] is not None
    await outside.happen("call.ended")
    await outside.tell()
    for secret in (made["secret"], turned["secret"]):
        assert crm.received[1].verified(secret)["type"] == "call.ended"
    await desk.post(f"/v1/webhooks/{made['id']}/rotate", "root", {"overlap_hours": 0}, status=200)
    await outside.happen("call.ended")
    await outside.tell()
    for secret in (made["secret"], turned["secret"]):
        with pytest.raises(WebhookVerificationError):
            crm.received[2].verified(secret)
    await outside.services.close()


async def test_personal_data_is_masked_as_for_its_role(desk: Service, crm: Receiver, tmp_path: Path) -> None:
    outside = await allowed(desk, tmp_path)
    await desk.post("/v1/webhooks", "root", {"url": crm.url, "events": ["call.*"]})
    await desk.post("/v1/webhooks", "root", {"url": f"{crm.url}2", "events": ["call.*"], "shown_as": "admin"})
    await outside.happen("call.ended", number="+8613800138000")
    await outside.tell()
    seen = {got.path: got.message["data"]["data"]["number"] for got in crm.received}
    assert seen == {"/hook": "+86138****8000", "/hook2": "+8613800138000"}
    await outside.services.close()


async def test_a_dead_letter_is_sent_again_by_an_admin_with_a_reason(
    desk: Service, crm: Receiver, tmp_path: Path
) -> None:
    outside = await allowed(desk, tmp_path)
    made = await desk.post("/v1/webhooks", "root", {"url": crm.url, "events": ["call.*"]})
    for index in range(3):
        await outside.happen("call.ended", case_id=f"c{index}")
    await outside.read()
    waiting = (await desk.get("/v1/deliveries?state=waiting", "root"))["items"]
    for item in waiting:
        await desk.post(f"/v1/deliveries/{item['id']}/drop", "root", {"reason": "a trial"}, status=200)
    await outside.tell()
    assert crm.received == []
    one = f"/v1/deliveries/{waiting[0]['id']}"
    await desk.post(f"{one}/replay", "root", {}, status=422)
    await desk.post(f"{one}/replay", "root", {"reason": "mended"}, status=200)
    await desk.post(f"{one}/replay", "root", {"reason": "mended"}, status=409)
    await outside.tell()
    whole = await desk.get(one, "root")
    assert (whole["state"], len(whole["tries"]), whole["payload"]["kind"]) == ("delivered", 1, "call.ended")
    assert crm.ids == [waiting[0]["id"]]
    await desk.post(f"{one}/drop", "root", {"reason": "too late"}, status=409)
    await desk.post("/v1/deliveries/nothing/replay", "root", {"reason": "x"}, status=404)
    (entry,) = await desk.journal("delivery.replayed")
    assert (entry.actor, entry.data["reason"]) == ("root", "mended")
    (listed,) = (await desk.get("/v1/destinations", "root"))["items"]
    assert (listed["id"], listed["waiting"], listed["dead"]) == (made["id"], 0, 0)
    await outside.services.close()


async def test_all_dead_letters_of_a_destination_are_sent_again(desk: Service, crm: Receiver, tmp_path: Path) -> None:
    outside = await allowed(desk, tmp_path)
    made = await desk.post("/v1/webhooks", "root", {"url": crm.url, "events": ["call.*"]})
    await outside.services.webhooks.sender.close()
    outside.services.webhooks.sender.guard = Guard()
    for index in range(3):
        await outside.happen("call.ended", case_id=f"c{index}")
    await outside.tell()
    assert await outside.states() == ["dead"] * 3
    outside.services.webhooks.sender.guard = Guard(("127.0.0.0/8",))
    path = f"/v1/destinations/{made['id']}/replay"
    later = {"reason": "mended", "since": (clock.now() + timedelta(hours=1)).isoformat()}
    assert await desk.post(path, "root", later, status=200) == {"replayed": 0}
    assert await desk.post(path, "root", {"reason": "mended"}, status=200) == {"replayed": 3}
    await outside.tell()
    assert await outside.states() == ["delivered"] * 3
    await outside.services.close()


async def test_a_destination_is_switched_with_a_reason(desk: Service) -> None:
    made = await desk.post("/v1/webhooks", "root", {"url": OUTSIDE})
    path = f"/v1/destinations/{made['id']}"
    off = await desk.post(f"{path}/disable", "root", {"reason": "moving"}, status=200)
    assert (off["state"], off["reason"]) == ("off", "moving")
    on = await desk.post(f"{path}/enable", "root", {"reason": "moved"}, status=200)
    assert (on["state"], on["reason"]) == ("on", None)
    await desk.post("/v1/destinations/nobody/enable", "root", {"reason": "x"}, status=404)


def test_the_guard_lets_out_and_never_in() -> None:
    guard = Guard(("10.1.0.0/16",))
    assert guard.fault_of("https://93.184.216.34/") is None
    assert guard.fault_of("http://10.1.2.3/") is None
    assert guard.fault_of("https://10.2.0.1/") is not None
    assert guard.fault_of("http://93.184.216.34/") is not None


async def test_an_admin_bound_to_clients_sees_and_makes_only_what_is_told_of_these(
    desk: Service, crm: Receiver, tmp_path: Path
) -> None:
    outside = await allowed(desk, tmp_path)
    await desk.add("bound", "admin", clients=["bank"])
    theirs = await desk.post("/v1/webhooks", "root", {"url": crm.url, "events": ["call.*"]})
    await desk.post("/v1/webhooks", "bound", {"url": crm.url, "events": ["call.*"]}, status=403)
    await desk.post("/v1/webhooks", "bound", {"url": crm.url, "clients": ["bank", "other"]}, status=403)
    mine = await desk.post("/v1/webhooks", "bound", {"url": crm.url, "clients": ["bank"], "events": ["call.*"]})
    await desk.patch(f"/v1/webhooks/{mine['id']}", "bound", {"clients": []}, status=403)
    for path in (f"/v1/webhooks/{theirs['id']}", f"/v1/destinations/{theirs['id']}/tries"):
        await desk.get(path, "bound", status=404)
    for path in ("rotate", "ping"):
        await desk.post(f"/v1/webhooks/{theirs['id']}/{path}", "bound", {}, status=404)
    for path in ("enable", "disable", "replay"):
        await desk.post(f"/v1/destinations/{theirs['id']}/{path}", "bound", {"reason": "x"}, status=404)
    assert (await desk.ask("DELETE", f"/v1/webhooks/{theirs['id']}", "bound")).status == 404
    await outside.happen("call.ended")
    await outside.tell()
    every, seen = [(await desk.get("/v1/deliveries", name))["items"] for name in ("root", "bound")]
    assert (len(every), [item["destination_id"] for item in seen]) == (2, [mine["id"]])
    hidden = next(item["id"] for item in every if item["destination_id"] == theirs["id"])
    await desk.get(f"/v1/deliveries/{hidden}", "bound", status=404)
    for path in ("/v1/webhooks", "/v1/destinations"):
        assert [one["id"] for one in (await desk.get(path, "bound"))["items"]] == [mine["id"]]
    await outside.services.close()
