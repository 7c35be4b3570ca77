"""Configuration as code: exported, applied whole or not at all, idempotent, shown before, refused clearly."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from config.database import Database
from config.migrate import upgrade
from crm_bridge.cli import cli
from crm_bridge.cli import main as command_line
from tests.support.api import PASSWORD, Service

POLICY = {
    "packs": ["cn-outsourcing"],
    "house": {"hours": "09:00-20:00", "min_gap_minutes": 30},
    "zone": "Asia/Shanghai",
}
CODES = {"codes": [{"code": "PTP", "label": {"zh": "承诺", "en": "promise"}}], "fields": []}
LADDER = {
    "answer": {"within": 5, "unit": "working_days"},
    "steps": [{"name": "team", "role": "supervisor", "within": 1, "unit": "days"}],
}
RULE = {"within": 2, "unit": "days", "owner": "supervisor"}
CLASS = {
    "kind": "recording",
    "months": 24,
    "anchor": "call",
    "basis": "contract",
    "source": "contract of 2026",
    "enabled": True,
}
DOCUMENT: dict[str, Any] = {
    "ringfence": 1,
    "policies": {"华信银行": POLICY},
    "retention_classes": {"bank-2y": CLASS},
    "action_codes": {"bank": CODES},
    "note_templates": {"bank": {"columns": [{"field": "case_id", "title": "案件"}], "encoding": "gb18030"}},
    "third_party_scripts": {"bank": {"zh": "您好", "en": "Hello"}},
    "complaint_ladders": {"*/general": LADDER, "bank/serious": LADDER},
    "deadline_rules": {"*/note": RULE},
    "working_calendars": {
        "*": {
            "country": "CN",
            "zone": "Asia/Shanghai",
            "opens": "09:00",
            "closes": "18:00",
            "weekdays": [0, 1, 2, 3, 4],
        }
    },
    "calendar_days": {"CN/2026-10-10": {"working": True, "name": "国庆调休"}},
    "import_mappings": {"bank/daily": {"columns": [{"column": "案件编号", "field": "case_id"}]}},
    "users": {"li": {"role": "collector", "extension": "1001", "team": "north"}, "chen": {"role": "supervisor"}},
    "groups": {"desk": {"members": ["li", "chen"], "ring": "in_turn"}},
    "inbound_routes": {"*": {"to": "group", "target": "desk", "hours": "09:00-18:00"}},
    "caller_id_pools": {
        "bank": {"client": "bank", "region": "86371", "numbers": ["+8637155550001"], "daily_limit": 200}
    },
    "screen_pop_links": {"bank": {"template": "https://crm.example.com/cases/{case_id}"}},
    "qa_forms": {"opening": {"name": "Opening", "questions": [{"id": "name", "text": {"zh": "报名", "en": "named"}}]}},
    "report_mailings": {"bank/quality-monthly": {"people": ["chen"], "addresses": [], "language": "en"}},
}


async def _apply(service: Service, document: Any, *, dry_run: bool = False, status: int = 200) -> Any:
    body = {"configuration": document, "reason": "set up"}
    return await service.post(f"/v1/configuration{'?dry_run=true' if dry_run else ''}", "root", body, status=status)


async def test_a_whole_floor_is_set_up_by_one_document_and_again_changes_nothing(service: Service) -> None:
    await service.add("root", "admin")
    tried = await _apply(service, DOCUMENT, dry_run=True)
    assert tried["applied"] is False
    assert (await service.get("/v1/configuration", "root"))["policies"] == {}
    done = await _apply(service, DOCUMENT)
    assert done["changes"] == tried["changes"]
    assert {change["section"] for change in done["changes"]} == DOCUMENT.keys() - {"ringfence"}
    assert all(change["new"] for change in done["changes"])
    assert (await _apply(service, DOCUMENT))["changes"] == []
    exported = await service.get("/v1/configuration", "root")
    assert (await _apply(service, exported))["changes"] == []
    assert exported["inbound_routes"]["*"]["hours"][0]["from"] == "09:00"
    assert (await service.get("/v1/policies/华信银行", "root"))["house"]["min_gap_minutes"] == 30
    assert [entry.data["reason"] for entry in await service.journal("policy.changed", "config.applied")] == [
        "set up"
    ] * 2


async def test_what_differs_is_shown_and_changed_and_the_rest_stays(service: Service) -> None:
    await service.add("root", "admin")
    await _apply(service, DOCUMENT)
    change = {"ringfence": 1, "users": {"li": {"role": "collector", "team": "south"}}}
    (told,) = (await _apply(service, change, dry_run=True))["changes"]
    assert told == {"section": "users", "key": "li", "new": False, "fields": {"team": ["north", "south"]}}
    await _apply(service, change)
    li = await service.get("/v1/users/li", "root")
    assert (li["team"], li["extension"]) == ("south", "1001")
    assert (await service.get("/v1/groups/desk", "root"))["members"] == ["li", "chen"]


async def test_trunks_are_registered_and_routed_but_nothing_of_the_pbx_is_changed(service: Service) -> None:
    await service.add("root", "admin")
    trunk = {
        "pbx": "main",
        "endpoint": "carrier-a",
        "prefixes": ["86"],
        "hours": "09:00-18:00",
        "caller_ids": ["+8610"],
    }
    document = {"ringfence": 1, "trunks": {"main": trunk}, "cdr_formats": {"main": {"delimiter": ";"}}}
    assert len((await _apply(service, document))["changes"]) == 2
    assert (await _apply(service, document))["changes"] == []
    shown = await service.get("/v1/trunks/main", "root")
    assert (shown["prefixes"], shown["zone"], shown["state"]) == (["+86"], "Asia/Shanghai", "active")
    change = {"ringfence": 1, "trunks": {"main": {"weight": 5, "enabled": False}}}
    (told,) = (await _apply(service, change))["changes"]
    assert told["fields"] == {"weight": [1, 5], "enabled": [True, False]}
    shown = await service.get("/v1/trunks/main", "root")
    assert (shown["weight"], shown["state"], shown["caller_ids"]) == (5, "disabled", ["+8610"])
    assert (await _apply(service, await service.get("/v1/configuration", "root")))["changes"] == []
    moved = {"ringfence": 1, "trunks": {"main": {"endpoint": "carrier-b"}}}
    problem = await _apply(service, moved, status=422)
    assert problem["errors"][0]["field"] == "trunks.main.endpoint"
    assert [entry.data["reason"] for entry in await service.journal("trunk.changed")] == ["set up"]


async def test_no_secret_is_in_it(service: Service) -> None:
    await service.add("root", "admin", password=PASSWORD)
    text = json.dumps(await service.get("/v1/configuration", "root"))
    assert "argon2" not in text
    assert "password" not in text
    assert "secret" not in text
    body = {"ringfence": 1, "users": {"li": {"role": "collector"}}}
    await _apply(service, body)
    answer = await service.ask("POST", "/v1/session", json={"name": "li", "password": ""})
    assert answer.status == 401


@pytest.mark.parametrize(
    ("document", "field", "said"),
    [
        ({"policies": {}}, "ringfence", "must be an object"),
        ([], "configuration", "dictionary"),
        ({"ringfence": 2}, "ringfence", "version 2, this service reads version 1"),
        ({"ringfence": 1, "colours": {}}, "colours", "not a known section"),
        ({"ringfence": 1, "policies": []}, "policies", "must be an object"),
        ({"ringfence": 1, "policies": {"bank": {"packs": ["invented"]}}}, "policies.bank.packs", "invented"),
        ({"ringfence": 1, "users": {"li": {"role": "king"}}}, "users.li.role", "Input should be"),
        ({"ringfence": 1, "users": {"bad name": {"role": "qa"}}}, "users.bad name.name", "pattern"),
        ({"ringfence": 1, "users": {"root": {"active": False}}}, "users.root", "last admin"),
        ({"ringfence": 1, "groups": {"g": {"members": ["nobody"]}}}, "groups.g.members.0", "no user nobody"),
        (
            {"ringfence": 1, "calendar_days": {"CN/someday": {"working": True, "name": "x"}}},
            "calendar_days.CN/someday",
            "Invalid",
        ),
        ({"ringfence": 1, "complaint_ladders": {"bank/fatal": LADDER}}, "complaint_ladders.bank/fatal", "general"),
        (
            {"ringfence": 1, "caller_id_pools": {"p": {"numbers": ["1; drop"]}}},
            "caller_id_pools.p.numbers.0",
            "pattern",
        ),
        ({"ringfence": 1, "cdr_formats": {"nowhere": {}}}, "cdr_formats.nowhere", "nowhere"),
        ({"ringfence": 1, "report_mailings": {"bank/hourly": {}}}, "report_mailings.bank/hourly", "quality-monthly"),
        (
            {"ringfence": 1, "screen_pop_links": {"b": {"template": "ftp://x"}}},
            "screen_pop_links.b.template",
            "pattern",
        ),
        ({"ringfence": 1, "trunks": {"a": {"priority": 1}}}, "trunks.a.endpoint", "is needed"),
        ({"ringfence": 1, "trunks": {"a": {"endpoint": "x", "pbx": "moon"}}}, "trunks.a.pbx", "must be one of main"),
        ({"ringfence": 1, "trunks": {"a": {"setup": {"host": "x"}}}}, "trunks.a.setup", "/v1/trunks"),
        ({"ringfence": 1, "trunks": {"a": {"secret": "x"}}}, "trunks.a.secret", "not permitted"),
        ({"ringfence": 1, "trunks": {"a b": {"endpoint": "x", "pbx": "main"}}}, "trunks.a b", "pattern"),
    ],
)
async def test_one_wrong_entry_refuses_the_whole_and_names_itself(
    service: Service, document: Any, field: str, said: str
) -> None:
    await service.add("root", "admin")
    good = {"policies": {"other": POLICY}} if isinstance(document, dict) and "policies" not in document else {}
    given = {**good, **document} if isinstance(document, dict) else document
    problem = await _apply(service, given, status=422)
    assert problem["errors"][0]["field"] == field
    assert said in problem["errors"][0]["message"]
    assert (await service.get("/v1/policies", "root"))["items"] == []


async def test_every_wrong_entry_is_named_at_once(service: Service) -> None:
    await service.add("root", "admin")
    wrong = {"ringfence": 1, "users": {"a": {"role": "x"}, "b": {"language": "fr"}}, "groups": {"g": {}}}
    problem = await _apply(service, wrong, status=422)
    assert [error["field"] for error in problem["errors"]] == ["users.a.role", "users.b.language", "groups.g.members"]


async def test_it_is_for_admins_bound_to_no_client(service: Service) -> None:
    await service.add("bound", "admin", clients=["bank"])
    await service.get("/v1/configuration", "bound", status=403)


def _command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["ringfence", *arguments])
    command_line()


async def _migrated(path: Path) -> Path:
    database = Database(f"sqlite+aiosqlite:///{path / 'ringfence.db'}")
    await upgrade(database)
    await database.close()
    (path / "ringfence.toml").write_text('[database]\nurl = "sqlite+aiosqlite:///ringfence.db"\n')
    return path / "ringfence.toml"


def test_the_commands_export_show_and_apply(tmp_path: Path) -> None:
    import asyncio

    config = str(asyncio.run(_migrated(tmp_path)))
    given, exported = tmp_path / "given.json", tmp_path / "exported.json"
    given.write_text(json.dumps(DOCUMENT), "utf-8")
    run = CliRunner()
    shown = run.invoke(cli, ["config", "apply", str(given), "--dry-run", "--config", config])
    assert "+ policies/华信银行" in shown.output
    assert shown.output.endswith("would change\n")
    done = run.invoke(cli, ["config", "apply", str(given), "--config", config])
    assert done.output.endswith(f"{shown.output.splitlines()[-1].split()[0]} changed\n")
    assert run.invoke(cli, ["config", "apply", str(given), "--config", config]).output == "nothing to change\n"
    assert run.invoke(cli, ["config", "export", str(exported), "--config", config]).exit_code == 0
    assert json.loads(exported.read_text("utf-8"))["users"]["li"]["extension"] == "1001"


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not JSON"), ('{"ringfence": 9}', "version 9"), (None, "cannot be read")]
)
def test_a_bad_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    path = tmp_path / "given.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SystemExit) as ended:
        _command(monkeypatch, "config", "apply", str(path))
    printed = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in printed
    assert printed.count("\n") == 1
