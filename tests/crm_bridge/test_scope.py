"""Which live events reach whom."""

from datetime import UTC, datetime

import pytest

from config.journal import Entry
from crm_bridge.people.scope import entry_seen_by
from crm_bridge.people.users import User

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEAM = frozenset({"li", "wang"})
OF_LI = Entry(NOW, "call.state", client="bank", agent="li")
OF_ZHAO = Entry(NOW, "call.state", client="bank", agent="zhao")
OF_OTHER_CLIENT = Entry(NOW, "call.state", client="other", agent="li")
BY_CHEN = Entry(NOW, "policy.changed", actor="chen", client="bank")
PBX_DOWN = Entry(NOW, "pbx.state")


@pytest.mark.parametrize(
    ("user", "team", "seen"),
    [
        (User("li", "collector", team="north"), TEAM, [OF_LI, OF_OTHER_CLIENT, PBX_DOWN]),
        (User("chen", "supervisor", team="north"), TEAM, [OF_LI, OF_OTHER_CLIENT, BY_CHEN, PBX_DOWN]),
        (User("chen", "supervisor", team="north", clients=("bank",)), TEAM, [OF_LI, BY_CHEN, PBX_DOWN]),
        (User("qa", "qa", clients=("bank",)), None, [OF_LI, OF_ZHAO, BY_CHEN, PBX_DOWN]),
        (User("crm", "crm", clients=("other",)), None, [OF_OTHER_CLIENT, PBX_DOWN]),
        (User("root", "admin"), None, [OF_LI, OF_ZHAO, OF_OTHER_CLIENT, BY_CHEN, PBX_DOWN]),
    ],
)
def test_an_event_reaches_those_it_concerns(user: User, team: frozenset[str] | None, seen: list[Entry]) -> None:
    every = [OF_LI, OF_ZHAO, OF_OTHER_CLIENT, BY_CHEN, PBX_DOWN]
    assert [entry for entry in every if entry_seen_by(user, team, entry)] == seen


@pytest.mark.parametrize("kind", ["call.listened", "call.listen_began", "call.listen_mode", "call.listen_ended"])
def test_no_collector_is_told_that_somebody_listens_in(kind: str) -> None:
    told = Entry(NOW, kind, actor="chen", client="bank", agent="li", data={"listener": "chen"})
    assert not entry_seen_by(User("li", "collector", team="north"), TEAM, told)
    assert entry_seen_by(User("chen", "supervisor", team="north"), TEAM, told)
    assert entry_seen_by(User("root", "admin"), None, told)
