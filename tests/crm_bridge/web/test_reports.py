"""Reports over a month of synthetic work: each figure as a slow reference works it out from the rows, on either database."""

import csv
import io
import random
import zipfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from config.database import Database
from config.identifiers import new_id
from config.journal import journal
from crm_bridge.clocks.tables import deadlines
from crm_bridge.notes.tables import commitments
from crm_bridge.tables import case_parties, cases, complaints, parties
from telephony.tables import calls, policies
from tests.support.api import Service

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
ZONES = {"north": "Asia/Shanghai", "<b>=east": "America/New_York", "delhi": "Asia/Kolkata", None: "Asia/Shanghai"}
CLIENTS = ("north", "<b>=east", "delhi")
AGENTS = ("li", "wang", "=HYPERLINK(1)", "\u202eevil<script>")
TRUNKS = ("t1", "@t2", None)
OUTCOMES = ("conversation", "no_answer", "busy", "voicemail", "not_placed", "dropped", "unknown", "rejected", None)
RULES = ("house/suspended", "cn-outsourcing/hours", "+x/odd")
PERIOD = f"from={FIRST}&to={LAST}"
Row = dict[str, Any]


@dataclass
class Month:
    """What was put into the tables, for the reference."""

    calls: list[Row] = field(default_factory=list)
    denied: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)
    complaints: list[Row] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)
    promised: set[str] = field(default_factory=set)
    answers: dict[str, datetime] = field(default_factory=dict)


def _moment(dice: random.Random) -> datetime:
    """A moment of the month, or up to two days around it."""
    return datetime(2026, 2, 27, tzinfo=UTC) + timedelta(seconds=dice.randrange(34 * 86_400))


def _call(dice: random.Random, case_id: str | None, client: str | None) -> Row:
    at = _moment(dice)
    outcome = dice.choice(OUTCOMES)
    answered = at + timedelta(seconds=20) if outcome in ("conversation", "voicemail", "dropped") else None
    return {
        "id": new_id(at) , "direction": dice.choice(("outbound", "outbound", "inbound")), "state": "ended", "outcome": outcome,
        "agent": dice.choice(AGENTS), "role": "collector", "extension": "1001", "client": client, "case_id": case_id,
        "number": "+8613800138000", "purpose": "collect", "pbx": "main", "uniqueid": new_id(at), "trunk": dice.choice(TRUNKS),
        "decision_id": "", "created_at": at, "connected_at": answered, "violations": [],
        "ended_at": at + timedelta(seconds=dice.randrange(21, 400)),
    }  # fmt: skip


def _case(number: int, dice: random.Random) -> Row:
    at = _moment(dice)
    return {
        "id": f"K{number}", "client": dice.choice(CLIENTS), "state": "open", "upserted_state": "open", "debts": [],
        "collector": dice.choice((*AGENTS, None)), "debtor_reachable": True, "failed_contacts": 0, "dispute": False,
        "fraud_statement": dice.random() < 0.2, "created_at": at, "updated_at": at,
    }  # fmt: skip


def _deadline(kind: str, key: str, at: datetime, due: datetime, **values: Any) -> Row:
    return {
        "id": new_id(at), "key": key, "kind": kind, "text": "", "owner_role": "collector", "people": [], "opened_at": at,
        "due_at": due, "unit": "minutes", "level": 0, "escalate": [], "every_minutes": 60, "mail": False, "told": [],
        "state": "open", "owner": None, "client": None, "complaint_id": None, "ended_at": None, "case_id": None, **values,
    }  # fmt: skip


def _complaint(dice: random.Random, case: Row, number: int) -> Row:
    at = _moment(dice)
    closed = at + timedelta(minutes=dice.randrange(1, 900)) if dice.random() < 0.7 else None
    return {
        "id": f"c{number}", "case_id": case["id"], "severity": dice.choice(("general", "serious", "major")), "text": "x",
        "state": "closed" if closed else "open", "opened_at": at, "opened_by": "li", "closed_at": closed, "instructed": False,
        "resume": False, "category": dice.choice(("attitude", None)), "former_agent": dice.choice(AGENTS),
        "justified": dice.choice((True, False, None)) if closed else None,
    }  # fmt: skip


def _made(dice: random.Random) -> Month:
    month = Month(cases=[_case(number, dice) for number in range(60)])
    for _ in range(600):
        case = dice.choice([*month.cases, None])
        month.calls.append(_call(dice, case and case["id"], case and case["client"]))
    for call in month.calls:
        at, client, owner = call["created_at"], call["client"], call["agent"]
        if dice.random() < 0.3:
            call_id = dice.choice((None, call["id"]))
            month.denied.append({"at": at, "kind": "call.denied", "actor": owner, "agent": owner, "client": client,
                                 "case_id": call["case_id"], "call_id": call_id, "data": {"rule": dice.choice(RULES)}})  # fmt: skip
        state = dice.choice(("open", "met", "missed", "cancelled"))
        ended = at + timedelta(hours=9) if state in ("met", "cancelled") or dice.random() < 0.5 else None
        month.notes.append(
            _deadline("note", f"note:{call['id']}", at, at, state=state, owner=owner, client=client,
                      ended_at=None if state == "open" else ended)
        )  # fmt: skip
    month.complaints = [_complaint(dice, dice.choice(month.cases), number) for number in range(80)]
    month.dead = {case["id"] for case in month.cases if dice.random() < 0.2}
    month.promised = {case["id"] for case in month.cases if dice.random() < 0.3}
    month.answers = {row["id"]: row["opened_at"] + timedelta(hours=8) for row in month.complaints[:70]}
    return month


async def _keep(database: Database, month: Month) -> None:
    no = dict.fromkeys(("attorney", "minor"), False)
    lists: Row = {"locations": [], "agreements": [], "inconvenient": [], "flags": {}}
    people = [{"id": f"p{case['id']}", "name": "x", "deceased": case["id"] in month.dead, **lists, **no}
              for case in month.cases]  # fmt: skip
    relations = [{"case_id": case["id"], "party_id": f"p{case['id']}", "relation": "debtor", "position": 0}
                 for case in month.cases]  # fmt: skip
    promises = [{"id": f"m{one}-{two}", "kind": "promise", "state": "open", "client": "north", "case_id": one,
                 "day": "2026-03-09", "made_at": datetime(2026, 3, 1, tzinfo=UTC), "made_by": "li"}
                for one in sorted(month.promised) for two in (1, 2)]  # fmt: skip
    answers = [_deadline("complaint-answer", f"a{row['id']}", row["opened_at"], month.answers[row["id"]],
                         complaint_id=row["id"]) for row in month.complaints if row["id"] in month.answers]  # fmt: skip
    zones = [{"client": client, "packs": [], "house": {}, "zone": ZONES[client], "updated_by": "root",
              "updated_at": datetime(2026, 1, 1, tzinfo=UTC)} for client in CLIENTS]  # fmt: skip
    async with database.write() as transaction:
        for table, rows in (
            (cases, month.cases), (parties, people), (case_parties, relations), (calls, month.calls),
            (journal, month.denied), (complaints, month.complaints), (deadlines, [*month.notes, *answers]),
            (commitments, promises), (policies, zones),
        ):  # fmt: skip
            await transaction.execute(insert(table), rows)


@pytest.fixture
async def month(service: Service) -> Month:
    made = _made(random.Random(7))
    await _keep(service.database, made)
    for name, role, more in (
        ("boss", "admin", {}), ("chen", "qa", {}), ("crm", "crm", {}), ("north-qa", "qa", {"clients": ["north"]}),
        ("head", "supervisor", {"team": "A"}), ("li", "collector", {"team": "A", "extension": "1001"}),
    ):  # fmt: skip
        await service.add(name, role, **more)
    return made


# ---- the reference: one row at a time, no database


def _inside(at: datetime, client: str | None) -> bool:
    return FIRST <= at.astimezone(ZoneInfo(ZONES[client])).date() <= LAST


def _told(rows: list[Row], key: Callable[[Row], Any], figures: dict[str, Callable[[Row], bool]]) -> dict[Any, Row]:
    found: dict[Any, Row] = defaultdict(lambda: dict.fromkeys(figures, 0))
    for row in rows:
        for name, counts in figures.items():
            found[key(row)][name] += bool(counts(row))
    return dict(found)


def _local(form: str, moment: str) -> Callable[[Row], str]:
    return lambda row: row[moment].astimezone(ZoneInfo(ZONES[row["client"]])).strftime(form)


def _nothing(figures: Row) -> bool:
    return not any(value for value in figures.values() if isinstance(value, int | float))


async def _compare(service: Service, path: str, by: str, wanted: dict[Any, Row]) -> dict[str, Any]:
    """The report's rows are those of the reference; rows by clock may be there without a figure."""
    joint = "&" if "?" in path else "?"
    report: dict[str, Any] = await service.get(f"/v1/reports/{path}{joint}{PERIOD}&by={by}", "boss")
    got = {row.pop(by): row for row in report["rows"]}
    assert len(got) == len(report["rows"])
    names = next(iter(wanted.values())).keys()
    assert {key: {name: row[name] for name in names} for key, row in got.items() if not _nothing(row)} == {
        key: row for key, row in wanted.items() if not _nothing(row)
    }
    for name in names:
        assert report["total"][name] == sum(row[name] for row in wanted.values())
    return report


def _counted(row: Row) -> bool:
    return row["outcome"] not in (None, "not_placed")


CALL_FIGURES: dict[str, Callable[[Row], bool]] = {
    "calls": lambda row: True,
    "attempts": _counted,
    "answered": lambda row: _counted(row) and row["connected_at"] is not None,
    "conversations": lambda row: row["outcome"] == "conversation",
}
KEYS: dict[str, Callable[[Row], Any]] = {
    "hour": _local("%H", "created_at"), "day": _local("%Y-%m-%d", "created_at"), "agent": lambda row: row["agent"],
    "trunk": lambda row: row["trunk"], "client": lambda row: row["client"],
}  # fmt: skip


async def test_the_connect_rate_is_that_of_the_rows(service: Service, month: Month) -> None:
    rows = [row for row in month.calls if row["direction"] == "outbound" and _inside(row["created_at"], row["client"])]
    for by in KEYS:
        wanted = _told(rows, KEYS[by], CALL_FIGURES)
        report = await _compare(service, "connect-rate", by, wanted)
        for row in report["rows"]:
            assert row["connect_rate"] == (round(row["answered"] / row["attempts"], 4) if row["attempts"] else None)
        if by == "hour":
            assert len(report["rows"]) == 24
        if by == "day":
            assert len(report["rows"]) == 31


async def test_attempts_are_told_by_what_came_of_them(service: Service, month: Month) -> None:
    rows = [row for row in month.calls if row["direction"] == "outbound" and _inside(row["created_at"], row["client"])]
    figures: dict[str, Callable[[Row], bool]] = {"attempts": _counted}
    for one in ("conversation", "voicemail", "no_answer", "busy", "dropped", "rejected", "unknown"):
        figures[one] = lambda row, one=one: row["outcome"] == one
    for by in KEYS:
        report = await _compare(service, "attempts", by, _told(rows, KEYS[by], figures))
        talked = sum((row["ended_at"] - row["connected_at"]).total_seconds() for row in rows if row["connected_at"])
        assert report["total"]["talk_minutes"] == pytest.approx(talked / 60, abs=0.06)


async def test_a_period_between_moments_is_the_same_for_every_client(service: Service, month: Month) -> None:
    start, end = (
        datetime(2026, 3, 8, 6, 30, tzinfo=UTC),
        datetime(2026, 3, 9, 1, tzinfo=UTC),
    )  # a clock goes forward in it
    rows = [row for row in month.calls if row["direction"] == "outbound" and start <= row["created_at"] < end]
    path = "/v1/reports/connect-rate?by=hour&from=2026-03-08T06:30:00Z&to=2026-03-09T09:00:00%2B08:00"
    report = await service.get(path, "boss")
    wanted = _told(rows, KEYS["hour"], CALL_FIGURES)
    assert {row["hour"]: row["calls"] for row in report["rows"] if row["calls"]} == {
        hour: row["calls"] for hour, row in wanted.items()
    }


async def test_denials_are_told_by_rule(service: Service, month: Month) -> None:
    keys = {"rule": lambda row: row["data"]["rule"], "agent": lambda row: row["agent"],
            "client": lambda row: row["client"], "day": _local("%Y-%m-%d", "at"), "hour": _local("%H", "at")}  # fmt: skip
    figures: dict[str, Callable[[Row], bool]] = {
        "denials": lambda row: True,
        "at_click": lambda row: row["call_id"] is None,
        "at_dial": lambda row: row["call_id"] is not None,
    }
    rows = [row for row in month.denied if _inside(row["at"], row["client"])]
    for by in ("rule", "agent", "client", "day", "hour"):
        await _compare(service, "denials", by, _told(rows, keys[by], figures))


async def test_notes_on_time_are_those_of_the_deadlines(service: Service, month: Month) -> None:
    keys = {"agent": lambda row: row["owner"], "client": lambda row: row["client"],
            "day": _local("%Y-%m-%d", "opened_at")}  # fmt: skip
    figures: dict[str, Callable[[Row], bool]] = {
        "due": lambda row: True,
        "in_time": lambda row: row["state"] == "met",
        "late": lambda row: row["state"] == "missed" and row["ended_at"] is not None,
        "missing": lambda row: row["state"] == "missed" and row["ended_at"] is None,
        "open": lambda row: row["state"] == "open",
        "cancelled": lambda row: row["state"] == "cancelled",
    }
    rows = [row for row in month.notes if _inside(row["opened_at"], row["client"])]
    for by in ("agent", "client", "day"):
        report = await _compare(service, "notes", by, _told(rows, keys[by], figures))
        total = report["total"]
        over = total["in_time"] + total["late"] + total["missing"]
        assert total["on_time_rate"] == round(total["in_time"] / over, 4)


async def test_complaints_are_told_with_the_time_to_answer(service: Service, month: Month) -> None:
    clients = {case["id"]: case["client"] for case in month.cases}
    rows = [row | {"client": clients[row["case_id"]], "due": month.answers.get(row["id"])} for row in month.complaints]
    rows = [row for row in rows if _inside(row["opened_at"], row["client"])]
    keys = {"severity": lambda row: row["severity"], "category": lambda row: row["category"] or "other",
            "client": lambda row: row["client"], "agent": lambda row: row["former_agent"],
            "day": _local("%Y-%m-%d", "opened_at")}  # fmt: skip
    figures: dict[str, Callable[[Row], bool]] = {
        "opened": lambda row: True,
        "closed": lambda row: row["closed_at"] is not None,
        "open": lambda row: row["closed_at"] is None,
        "in_time": lambda row: (
            row["due"] is not None and row["closed_at"] is not None and row["closed_at"] <= row["due"]
        ),
        "late": lambda row: (
            row["due"] is not None and (row["closed_at"] or datetime.max.replace(tzinfo=UTC)) > row["due"]
        ),
        "justified": lambda row: row["justified"] is True,
    }
    for by in ("severity", "category", "client", "agent", "day"):
        report = await _compare(service, "complaints", by, _told(rows, keys[by], figures))
        took = [(row["closed_at"] - row["opened_at"]).total_seconds() / 60 for row in rows if row["closed_at"]]
        assert report["total"]["mean_minutes"] == pytest.approx(sum(took) / len(took), abs=0.06)
        assert report["total"]["longest_minutes"] == pytest.approx(max(took), abs=0.06)


async def test_the_first_round_tells_deaths_fraud_and_promises(service: Service, month: Month) -> None:
    made: dict[str | None, list[Row]] = defaultdict(list)
    for call in month.calls:
        if call["direction"] == "outbound":
            made[call["case_id"]].append(call)
    keys = {"client": lambda row: row["client"], "agent": lambda row: row["collector"],
            "day": _local("%Y-%m-%d", "created_at")}  # fmt: skip
    figures: dict[str, Callable[[Row], bool]] = {
        "cases": lambda row: True,
        "called": lambda row: any(map(_counted, made[row["id"]])),
        "reached": lambda row: any(call["outcome"] == "conversation" for call in made[row["id"]]),
        "deaths": lambda row: row["id"] in month.dead,
        "fraud": lambda row: row["fraud_statement"],
        "promises": lambda row: row["id"] in month.promised,
    }
    rows = [row for row in month.cases if _inside(row["created_at"], row["client"])]
    for by in ("client", "agent", "day"):
        report = await _compare(service, "first-round", by, _told(rows, keys[by], figures))
        attempts = [call for row in rows for call in made[row["id"]] if _counted(call)]
        answered = [call for call in attempts if call["connected_at"]]
        assert (report["total"]["attempts"], report["total"]["answered"]) == (len(attempts), len(answered))


async def test_a_report_holds_what_its_reader_may_see(service: Service, month: Month) -> None:
    whole = await service.get(f"/v1/reports/connect-rate?{PERIOD}&by=client", "boss")
    north = await service.get(f"/v1/reports/connect-rate?{PERIOD}&by=client", "north-qa")
    assert [row["client"] for row in north["rows"]] == ["north"]
    assert north["total"] == next(row | {} for row in whole["rows"] if row.pop("client") == "north")
    asked = await service.get(f"/v1/reports/connect-rate?{PERIOD}&client=north", "boss")
    assert asked["total"] == north["total"]
    await service.get(f"/v1/reports/connect-rate?{PERIOD}&client=delhi", "north-qa", status=403)
    team = await service.get(f"/v1/reports/notes?{PERIOD}", "head")
    assert {row["agent"] for row in team["rows"]} == {"li"}
    await service.get(f"/v1/reports/connect-rate?{PERIOD}", "li", status=403)
    assert (await service.get("/v1/reports", "north-qa"))["clients"] == ["north"]
    assert (await service.get("/v1/reports", "boss"))["clients"] == sorted(CLIENTS)
    assert (await service.get(f"/v1/reports/first-round?{PERIOD}", "crm"))["rows"]


async def test_files_hold_the_same_figures_run_nothing_and_are_journalled(service: Service, month: Month) -> None:
    path = f"/v1/reports/connect-rate?{PERIOD}&by=agent"
    report = await service.get(path, "boss")
    answer = await service.ask("GET", f"{path}&format=csv", "boss")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/csv")
    lines = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
    assert lines[0] == ["agent", "calls", "attempts", "answered", "conversations", "connect_rate"]
    assert {line[0] for line in lines[1:-1]} == {"li", "wang", "'=HYPERLINK(1)", "\u202eevil<script>"}
    assert [int(cell) for cell in lines[-1][1:5]] == [report["total"][name] for name in lines[0][1:5]]
    answer = await service.ask("GET", f"{path}&format=xlsx&language=zh", "boss")
    book = zipfile.ZipFile(io.BytesIO(await answer.read()))
    texts = "".join(book.read(name).decode() for name in book.namelist() if name.endswith(".xml"))
    assert "=HYPERLINK(1)" in texts
    assert "<f>" not in texts
    assert "接通率" in texts
    entries = await service.journal("report.exported")
    assert [(entry.actor, entry.data["report"], entry.data["format"]) for entry in entries] == [
        ("boss", "connect-rate", "csv"),
        ("boss", "connect-rate", "xlsx"),
    ]


SLIPS = (
    ("from=2026-13-01", "from"), ("to=yesterday", "to"), ("from=2026-03-02&to=2026-03-01", "to"), ("by=moon", "by"),
    ("from=2020-01-01&to=2026-01-01", "from"), ("from=2026-03-01T00:00:00", "from"), ("format=pdf", "format"),
    ("from=9999-12-31&to=9999-12-31", "to"), ("colour=red", "colour"), ("to=20260301ab", "to"),
)  # fmt: skip


async def test_a_slip_is_told_by_its_field(service: Service) -> None:
    await service.add("boss", "admin")
    for query, name in SLIPS:
        problem = await service.get(f"/v1/reports/connect-rate?{query}", "boss", status=422)
        assert problem["errors"][0]["field"] == name, query


async def test_an_unknown_report_is_not_found_and_an_empty_one_is_complete(service: Service) -> None:
    await service.add("boss", "admin")
    await service.get("/v1/reports/moon", "boss", status=404)
    for kind in (await service.get("/v1/reports", "boss"))["items"]:
        for by in kind["by"]:
            report = await service.get(f"/v1/reports/{kind['name']}?by={by}", "boss")
            names = [column["name"] for column in report["columns"]]
            assert names[0] == by
            assert all(list(row) == names for row in report["rows"])
            assert list(report["total"]) == names[1:]
