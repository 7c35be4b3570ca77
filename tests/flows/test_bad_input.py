"""Bad input and missing parts on the way of a call: each a clear error in the contract's form, and nothing lost."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config import clock
from crm_bridge.cli import main as command_line
from crm_bridge.demo.lab import Lab
from crm_bridge.people import credentials
from tests.support.floor import Floor, free_port, furnished_floor, open_floor

pytestmark = pytest.mark.flow

ANSWERS = "+8613800138002"


async def test_what_cannot_be_called_is_told_by_field(floor: Floor) -> None:
    case_id = await floor.case(ANSWERS)
    party_id = f"party-{case_id}"

    async def refused(status: int, code: str, **changes: Any) -> dict[str, Any]:
        body = {"case_id": case_id, "party_id": party_id, "number": ANSWERS, **changes}
        body = {key: value for key, value in body.items() if value is not None}
        headers = {"Idempotency-Key": "once"}
        problem: dict[str, Any] = await floor.expect(status, "POST", "/v1/calls", body=body, headers=headers)
        assert problem["type"] == f"/problems/{code}"
        return problem

    await refused(404, "not-found", case_id="no-such-case")
    await refused(404, "not-found", party_id="no-such-party")
    await refused(404, "not-found", number="+8613900139999")
    await refused(422, "invalid-number", number="12345")
    await refused(422, "invalid-number", number="+86138\r\nAction: Originate")
    assert (await refused(422, "validation", number=None))["errors"][0]["field"] == "number"
    assert (await refused(422, "validation", extension="1002"))["errors"][0]["field"] == "extension"
    body = {"case_id": case_id, "party_id": party_id, "number": ANSWERS}
    problem = await floor.expect(400, "POST", "/v1/calls", body=body)
    assert problem["type"] == "/problems/idempotency-key-required"
    assert (await floor.expect(200, "GET", "/v1/calls", user="supervisor"))["items"] == []


async def test_who_may_not_call_is_told(floor: Floor) -> None:
    await floor.case(ANSWERS)
    assert (await floor.dial(ANSWERS, user="qa"))[0] == 403
    async with floor.services.database.write() as transaction:
        now = clock.now()
        _, floor.tokens["late"] = await credentials.create_token(
            transaction, "collector", label="old", expires_at=now - timedelta(seconds=1), actor="tests", now=now
        )
    floor.tokens["nobody"] = "rf_wrong"
    for user in ("late", "nobody"):
        status, problem = await floor.dial(ANSWERS, user=user)
        assert (status, problem["type"]) == (401, "/problems/unauthorized")
    for user, team in (("collector", "north"), ("other", "south")):
        await floor.expect(200, "PATCH", f"/v1/users/{user}", user="admin", body={"team": team})
    await floor.case(ANSWERS, case_id="souths-case", collector="other")
    assert (await floor.dial(ANSWERS))[0] == 404
    assert (await floor.expect(409, "PATCH", "/v1/users/other", user="admin", body={"extension": "1001"}))["detail"]


async def test_a_pbx_that_is_not_there_and_a_wrong_secret_are_told(
    lab: Lab, tmp_path: Path, gate_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    async with furnished_floor(lab, tmp_path, gate_port, url) as floor:
        await floor.case(ANSWERS)
        settings, tokens, numbers = floor.settings, floor.tokens, floor.numbers
    changes = {"port": free_port()}, {"secret": SecretStr("wrong")}
    for change, said in zip(changes, ("cannot reach", "refused the login"), strict=True):
        changed = settings.model_copy(update={"pbx": [settings.pbx[0].model_copy(update=change)]})
        async with open_floor(lab, changed, tokens, ready=False) as floor:
            floor.numbers = numbers
            status, problem = await floor.dial(ANSWERS)
            assert (status, problem["type"]) == (503, "/problems/pbx-unavailable")
            await floor.until_problem("pbx:lab", said)
            assert (await floor.expect(200, "GET", "/v1/calls", user="supervisor"))["items"] == []


async def test_a_spool_that_cannot_be_read_stops_the_calling_and_says_so(
    lab: Lab, tmp_path: Path, gate_port: int
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ringfence.db'}"
    async with furnished_floor(lab, tmp_path, gate_port, url) as floor:
        await floor.case(ANSWERS)
        settings, tokens, numbers = floor.settings, floor.tokens, floor.numbers
    elsewhere = tmp_path / "not-the-spool"
    elsewhere.mkdir()
    changed = settings.model_copy(update={"pbx": [settings.pbx[0].model_copy(update={"spool_local": elsewhere})]})
    async with open_floor(lab, changed, tokens, ready=False) as floor:
        floor.numbers = numbers
        await floor.until_problem("recording:lab", "cannot be read and cleared here")
        status, problem = await floor.dial(ANSWERS)
        assert (status, problem["rule"]) == (403, "house/recorder-unhealthy")
    shutil.rmtree(elsewhere)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server\n", "is not TOML"),
        ("[server]\nport = 'abc'\nhots = 'x'\n", "server.hots is not a known key"),
        ("[policy]\nzone = 'Mars/Base'\n", "policy.zone must be an IANA time zone"),
    ],
)
def test_a_bad_configuration_is_one_line_that_names_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    path = tmp_path / "ringfence.toml"
    path.write_text(text)
    monkeypatch.setattr("sys.argv", ["ringfence", "check-config", "--config", str(path)])
    with pytest.raises(SystemExit) as ended:
        command_line()
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in printed
    assert str(path) in printed
    assert printed.count("\n") == 1
