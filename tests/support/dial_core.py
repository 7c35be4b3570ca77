"""The dial path without telephones: cases in a database, a PBX that is a manager port over a real socket, the real services."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select
from sqlalchemy.engine import Row

from config import clock, journal
from config.database import Database
from config.identifiers import new_id
from config.journal import Entry
from config.settings import Pbx as PbxSettings
from config.settings import Policy
from crm_bridge.cases.facts import case_facts
from crm_bridge.click import Click, Clicked, click
from crm_bridge.people.users import User
from crm_bridge.tables import case_parties, cases, numbers, parties
from telephony.calls import call_records
from telephony.dialling.decisions import Decider
from telephony.dialling.dialer import Dialer, Phone
from telephony.dialling.gathering import Gathering, Subject
from telephony.gate.gate import Gate
from telephony.pbx import Pbx
from telephony.tables import calls, contacts, policies, trunks
from tests.support.ami_server import SECRET, Action, AmiServer, message, success

PBX = "main"
NUMBER = "+8613800138000"
SHANGHAI = [{"source": "address", "zone": "Asia/Shanghai"}]
PATIENCE = 10.0


def listing(action: Action, entries: Iterable[dict[str, str]]) -> bytes:
    """The answer to a list action."""
    answer = success(action, EventList="start", Message="follows")
    for entry in entries:
        answer += message(ActionID=action["ActionID"], **entry)
    return answer + message(Event="ListComplete", EventList="Complete", ActionID=action["ActionID"])


@dataclass
class FakePbx:
    """What the manager port shows: device states, living channels, AstDB. DBDel and DBPut change `astdb`."""

    server: AmiServer
    devices: dict[str, str] = field(default_factory=dict)
    channels: list[dict[str, str]] = field(default_factory=list)
    astdb: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server.answers["DeviceStateList"] = lambda action: listing(
            action, ({"Event": "DeviceStateChange", "Device": d, "State": s} for d, s in self.devices.items())
        )
        self.server.answers["CoreShowChannels"] = lambda action: listing(
            action, ({"Event": "CoreShowChannel", **channel} for channel in self.channels)
        )
        self.server.answers["DBGetTree"] = lambda action: listing(
            action, ({"Event": "DBGetTreeResponse", "Key": k, "Val": v} for k, v in self.astdb.items())
        )
        self.server.answers["DBDel"] = self._delete

    def _delete(self, action: Action) -> bytes:
        self.astdb.pop(f"/{action['Family']}/{action['Key']}", None)
        return success(action, Message="Key deleted successfully")

    def mark(self, key: str, **values: str) -> None:
        """Write a marker as the dialplan does."""
        self.astdb[f"/ringfence/{key}"] = ",".join(f"{name}={value}" for name, value in values.items())


class DialCore:
    """What a test does: `await core.case("p1")`, then `await core.click("li", "p1")`."""

    def __init__(self, database: Database, fake: FakePbx) -> None:
        self.database, self.fake = database, fake
        account = PbxSettings(name=PBX, port=fake.server.port, username="u", secret=SecretStr(SECRET))
        self.pbx = Pbx(account, database, process="tests")
        self.gathering = Gathering(case_facts, Policy(packs=["house"]), lambda: True)
        self.decider = Decider(self.gathering)
        self.dialer = Dialer(database, self.decider, {PBX: self.pbx}, 20)
        self.gate = Gate(database, self.decider, ring_seconds=45)

    async def start(self) -> None:
        """Connect, and wait until calls can be placed."""
        await self.pbx.start()
        await self.until(lambda: self.pbx.ready)

    async def until(self, true: Callable[[], bool]) -> None:
        """Return as soon as `true()`."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if true():
                    return
                await asyncio.sleep(0.005)

    async def reaches(self, call_id: str, state: str) -> Row[Any]:
        """The call once it is in that state."""
        async with asyncio.timeout(PATIENCE):
            while True:
                call = await self.call(call_id)
                if call.state == state:
                    return call
                await asyncio.sleep(0.01)

    async def insert(self, table: Any, *rows: dict[str, Any]) -> None:
        """Write rows."""
        async with self.database.write() as transaction:
            await transaction.execute(insert(table), list(rows))

    async def policy(self, **house: Any) -> None:
        """The client's policy: the pack `house` with these values."""
        now = clock.now()
        await self.insert(
            policies,
            {"client": "north", "packs": ["house"], "house": house, "zone": "Asia/Shanghai", "announcement": None,
             "updated_at": now, "updated_by": "tests"},
        )  # fmt: skip

    async def trunk(self, **changes: Any) -> None:
        """A trunk that carries every number."""
        row = {"name": "main", "pbx": PBX, "endpoint": "carrier-a", "dial_format": "e164", "prefixes": [],
               "priority": 1, "weight": 1, "capacity": 30, "caller_ids": ["+861055550000"], "enabled": True,
               "created_at": clock.now()}  # fmt: skip
        await self.insert(trunks, {**row, **changes})

    async def case(self, party: str, number: str = NUMBER, **person: Any) -> None:
        """Case `case-<party>` of one debtor with one number."""
        now = clock.now()
        await self.insert(
            cases,
            {"id": f"case-{party}", "client": "north", "state": "open", "upserted_state": "open",
             "debts": [f"debt-{party}"], "account": f"account-{party}", "debtor_reachable": True, "failed_contacts": 0,
             "dispute": False, "fraud_statement": False, "created_at": now, "updated_at": now},
        )  # fmt: skip
        someone = {"id": party, "name": "测试", "locations": SHANGHAI, "agreements": [], "inconvenient": [], "attorney": False,
                   "deceased": False, "minor": False, "flags": {}}  # fmt: skip
        await self.insert(parties, {**someone, **person})
        await self.insert(
            case_parties, {"case_id": f"case-{party}", "party_id": party, "relation": "debtor", "position": 0}
        )
        await self.insert(
            numbers,
            {"party_id": party, "e164": number, "kind": "mobile", "status": "valid", "do_not_call": False, "position": 0},
        )  # fmt: skip

    async def contact(self, at: datetime, **columns: Any) -> None:
        """An entry of the contact history."""
        row = {"id": f"{id(columns):032x}", "at": at, "party_id": "p1", "number": NUMBER, "number_kind": "mobile",
               "debts": [], "direction": "outbound", "channel": "call", "by": "us", "outcome": "no_answer",
               "consented": False, "household": None, "account": None}  # fmt: skip
        await self.insert(contacts, {**row, **columns})

    def subject(self, agent: str = "li", party: str = "p1", number: str = NUMBER) -> Subject:
        """Who calls whom."""
        return Subject(f"case-{party}", party, number, agent, "collector")

    async def click(
        self, agent: str = "li", party: str = "p1", *, key: str = "k", extension: str = "1001", number: str = NUMBER
    ) -> Clicked:
        """One click."""
        request = Click(self.subject(agent, party, number), extension, PBX, key)
        return await click(self.database, self.dialer, request, User(agent, "collector", extension, PBX))

    async def reserved(
        self, agent: str = "li", party: str = "p1", extension: str = "1001", number: str = NUMBER
    ) -> Row[Any]:
        """A call that was reserved and of which the PBX knows nothing yet."""
        async with self.database.write() as transaction:
            subject, phone = self.subject(agent, party, number), Phone(PBX, extension)
            now = clock.now()
            _, row = await self.dialer.reserve(transaction, subject, phone, new_id(now), now)
        assert row is not None
        return row

    async def call(self, call_id: str) -> Row[Any]:
        """The call as it stands."""
        async with self.database.read() as connection:
            row = await call_records.find(connection, call_id)
        assert row is not None
        return row

    async def legs(self, call_id: str) -> list[Row[Any]]:
        """Its legs."""
        async with self.database.read() as connection:
            return await call_records.legs_of(connection, call_id)

    async def calls(self) -> list[Row[Any]]:
        """Every call."""
        async with self.database.read() as connection:
            return list((await connection.execute(select(calls).order_by(calls.c.created_at))).all())

    async def outcome(self, call_id: str) -> str:
        """What the contact history says of a call."""
        async with self.database.read() as connection:
            return str(await connection.scalar(select(contacts.c.outcome).where(contacts.c.id == call_id)))

    async def journal(self, *kinds: str) -> list[Entry]:
        """The journal's entries of these kinds."""
        async with self.database.read() as connection:
            return [entry for entry in await journal.read_after(connection, 0, 5000) if entry.kind in kinds]


@pytest.fixture
async def core(database: Database) -> AsyncIterator[DialCore]:
    """Two phones, a trunk, a policy without caps, person p1 on case-p1; not connected before `core.start()`."""
    async with AmiServer() as server:
        fake = FakePbx(server, {f"PJSIP/{extension}": "NOT_INUSE" for extension in range(1001, 1061)})
        core = DialCore(database, fake)
        await core.trunk()
        await core.case("p1")
        yield core
        await core.pbx.close()
