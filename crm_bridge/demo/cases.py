"""The demo's two client banks and their cases: people around the world, so that at any hour some may be called and some not.

Numbers end in the digits by which the lab's carriers behave (`crm_bridge.demo.behaviours`): …86 is busy, …80 rings out.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

POLICIES: dict[str, dict[str, Any]] = {
    "huaxing-bank": {
        "packs": ["cn-outsourcing", "cn-gbt-45251"],
        "house": {"caps": [{"limit": 6, "days": 1, "per": ["person"]}]},
        "zone": "Asia/Shanghai",
        "announcement": None,
    },
    "northern-credit": {
        "packs": ["us-reg-f"],
        "house": {"caps": [{"limit": 7, "days": 7, "per": ["person"]}]},
        "zone": "America/New_York",
        "announcement": None,
    },
}


@dataclass(frozen=True, slots=True)
class Person:
    """One party of a case: `zone` is where the address says the person lives."""

    id: str
    relation: str
    name: str
    zone: str
    numbers: tuple[str, ...]
    extra: tuple[tuple[str, Any], ...] = ()

    def document(self) -> dict[str, Any]:
        """As `PUT /v1/cases/{id}` takes it."""
        kinds = ("mobile", "landline", "work")
        return {
            "id": self.id,
            "relation": self.relation,
            "name": self.name,
            "locations": [{"source": "address", "zone": self.zone}],
            "numbers": [{"e164": number, "kind": kinds[index]} for index, number in enumerate(self.numbers)],
            **dict(self.extra),
        }


@dataclass(frozen=True, slots=True)
class DemoCase:
    """One case as the client's CRM would send it."""

    id: str
    client: str
    people: tuple[Person, ...]
    state: str = "open"
    reachable: bool = True
    overdue: bool = False

    def document(self, collector: str, today: date) -> dict[str, Any]:
        """As `PUT /v1/cases/{id}` takes it."""
        mandate = today - timedelta(days=1) if self.overdue else today + timedelta(days=200)
        return {
            "client": self.client,
            "state": self.state,
            "debts": [f"{self.id}-loan"],
            "account": f"{self.id}-account",
            "mandate_until": mandate.isoformat(),
            "collector": collector,
            "debtor_reachable": self.reachable,
            "parties": [person.document() for person in self.people],
        }


def _cn(key: str, relation: str, name: str, *numbers: str, **extra: Any) -> Person:
    return Person(f"p-{key}", relation, name, "Asia/Shanghai", numbers, tuple(extra.items()))


def _abroad(key: str, name: str, zone: str, *numbers: str, **extra: Any) -> Person:
    return Person(f"p-{key}", "debtor", name, zone, numbers, tuple(extra.items()))


_HX, _NC = "huaxing-bank", "northern-credit"

CASES: tuple[DemoCase, ...] = (
    DemoCase(
        "HX-1001",
        _HX,
        (_cn("1001", "debtor", "王建国", "+8613800138002", "+861065551201", identity="110101199001010019"),),
    ),
    DemoCase(
        "HX-1002",
        _HX,
        (
            _cn("1002", "debtor", "李秀英", "+8613800138013", identity="110101198505050022"),
            _cn("1002g", "guarantor", "李志强", "+8613900139002"),
        ),
    ),
    DemoCase("HX-1003", _HX, (_cn("1003", "debtor", "张伟", "+8613800138086"),)),
    DemoCase("HX-1004", _HX, (_cn("1004", "debtor", "刘洋", "+8613800138080"),)),
    DemoCase("HX-1005", _HX, (_cn("1005", "debtor", "陈静", "+8613800138048"),)),
    DemoCase(
        "HX-1006",
        _HX,
        (
            _cn("1006", "debtor", "杨帆", "+8613800138040"),
            _cn("1006c", "contact", "杨丽", "+8613700137002"),
        ),
    ),
    DemoCase("HX-1007", _HX, (_cn("1007", "debtor", "赵敏", "+8613800138005"),), overdue=True),
    DemoCase("HX-1008", _HX, (_cn("1008", "debtor", "黄磊", "+8613800138006"),), state="settled"),
    DemoCase("HX-1009", _HX, (_cn("1009", "debtor", "周杰", "+8613800138004"),)),
    DemoCase("HX-1010", _HX, (_cn("1010", "debtor", "吴芳", "+8613800138071", attorney=True),)),
    DemoCase("NC-2001", _NC, (_abroad("2001", "James Miller", "America/New_York", "+12125550102"),)),
    DemoCase("NC-2002", _NC, (_abroad("2002", "Maria Garcia", "America/Los_Angeles", "+12135550105"),)),
    DemoCase("NC-2003", _NC, (_abroad("2003", "Robert Johnson", "America/Los_Angeles", "+12125550112"),)),
    DemoCase("NC-2004", _NC, (_abroad("2004", "Emily Clark", "Pacific/Honolulu", "+18085550107"),)),
    DemoCase("NC-2005", _NC, (_abroad("2005", "Oliver Smith", "Europe/London", "+442079460102"),)),
    DemoCase("NC-2006", _NC, (_abroad("2006", "Jack Wilson", "Australia/Sydney", "+61255501205"),)),
    DemoCase("NC-2007", _NC, (_abroad("2007", "Charlotte Brown", "Pacific/Auckland", "+6499501206"),)),
    DemoCase("NC-2008", _NC, (_abroad("2008", "Priya Sharma", "Asia/Kolkata", "+911145550102"),)),
    DemoCase("NC-2009", _NC, (_abroad("2009", "Omar Haddad", "Asia/Dubai", "+97145550105"),)),
    DemoCase("NC-2010", _NC, (_abroad("2010", "Linda Davis", "America/Chicago", "+13125550163", deceased=True),)),
)
