"""A trunk's health in one word: by what the PBX sees of the carrier, and by what became of the calls."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from config.database import Database
from telephony.tables import calls, legs
from telephony.trunking.health import Traffic, assess, note_failure, traffic_of
from telephony.trunking.seen import Contact, Registration, Sighting

NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
QUIET = Traffic()


def seen(status: str = "Reachable", registration: str | None = None, contacts: int = 1) -> Sighting:
    known = Registration("r", "e", "a", "sip:x", registration) if registration else None
    return Sighting(True, (Contact("sip:x", status, 3.0),) * contacts, known)


@pytest.mark.parametrize(
    ("sighting", "traffic", "state", "reason"),
    [
        (None, QUIET, "unknown", "pbx-away"),
        (Sighting(False), QUIET, "down", "endpoint-missing"),
        (seen(), QUIET, "up", None),
        (seen("NonQualified"), QUIET, "up", None),
        (seen("Unreachable"), QUIET, "down", "no-answer"),
        (seen(contacts=0), QUIET, "down", "no-contact"),
        (seen(registration="Registered"), QUIET, "up", None),
        (seen(registration="Rejected"), QUIET, "down", "login-refused"),
        (seen(registration="Unregistered"), QUIET, "down", "not-registered"),
        (seen(), Traffic(tried=4, failed=4), "up", None),
        (seen(), Traffic(tried=10, answered=8, failed=2), "degraded", "congestion"),
        (seen(), Traffic(tried=40, answered=1), "degraded", "hardly-answered"),
        (seen(), Traffic(tried=40, answered=2), "up", None),
        (seen("Unreachable"), Traffic(tried=10, failed=9), "down", "no-answer"),
    ],
)
def test_health_is_one_word_and_why(
    sighting: Sighting | None, traffic: Traffic, state: str, reason: str | None
) -> None:
    health = assess(sighting, traffic)
    assert (health.state, health.reason) == (state, reason)
    assert health.seen()["asr"] == traffic.asr


async def test_traffic_counts_legs_and_ways_that_failed_without_one(database: Database) -> None:
    def leg(name: str, trunk: str, minutes: int, answered: bool = False, role: str = "customer") -> dict[str, object]:
        at = NOW - timedelta(minutes=minutes)
        return {
            "pbx": "main", "uniqueid": name, "call_id": "c", "role": role, "channel": "x", "trunk": trunk, "created_at": at,
            "answered_at": at if answered else None,
        }  # fmt: skip

    call = {
        "id": "c", "direction": "outbound", "state": "ended", "agent": "li", "role": "collector", "extension": "1", "number": "+1",
        "purpose": "collect", "pbx": "main", "uniqueid": "c", "decision_id": "", "created_at": NOW, "violations": [],
    }  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(calls).values(**call))
        rows = [leg("1", "a", 1, True), leg("2", "a", 14), leg("3", "a", 16, True), leg("4", "b", 1, True)]
        await transaction.execute(insert(legs), rows)
        await note_failure(transaction, "a", "c", 34, NOW)  # its leg is counted already
        await note_failure(transaction, "a", "another", 20, NOW)  # no channel could be made
        await note_failure(transaction, "a", "older", 20, NOW - timedelta(minutes=16))
    async with database.read() as connection:
        found = await traffic_of(connection, ["a", "b", "c"], NOW)
    assert found == {"a": Traffic(3, 1, 2), "b": Traffic(1, 1, 0), "c": QUIET}
    assert (found["a"].asr, found["a"].congestion) == (0.333, 0.667)
