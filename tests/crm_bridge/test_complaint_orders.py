"""Complaints opened, closed, instructed and undone in any order, with calls reserved in between: who may call at each moment.

What is expected comes from a plain reading of S61-S65: while one complaint is open only its handling may call; while one is
closed without the instruction to go on, likewise; whoever one of them was about stays out of the case.
"""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from config import clock
from config.errors import Conflict
from config.identifiers import new_id
from crm_bridge.complaints import complaints
from crm_bridge.complaints import rulings as complaint_rulings
from crm_bridge.people import users
from crm_bridge.people.users import NewUser, User
from telephony.calls import call_records
from telephony.calls.call_states import EndReason
from telephony.calls.outcomes import NOT_PLACED, Ending
from telephony.dialling.dialer import Phone
from telephony.dialling.gathering import Subject
from tests.support.dial_core import NUMBER, PBX, DialCore

CHEN = User("chen", "supervisor", None, None)
COLLECTORS = ("li", "zhao", "wu")


@dataclass
class Told:
    """A complaint as its rulings left it."""

    former: str | None
    state: str = "open"
    resumed: bool = False


@dataclass
class Story:
    """Random acts on one case, and what they mean for who may call."""

    core: DialCore
    chance: random.Random
    known: dict[str, Told] = field(default_factory=dict)
    collector: str | None = None
    log: list[str] = field(default_factory=list)

    def expected(self, agent: str) -> str | None:
        """The rule that keeps a collector from collecting."""
        told = self.known.values()
        if any(one.state == "open" for one in told):
            return "house/complaint-open"
        if any(not one.resumed for one in told):
            return "house/complaint-not-instructed"
        return "house/complaint-former-agent" if any(one.former == agent for one in told) else None

    async def step(self) -> None:
        """One act; one that the state does not allow must be refused."""
        acts = [self.open, self.close, self.close, self.resume, self.resume, self.keep_stopped, self.undo, self.reopen]
        act = self.chance.choice(acts)
        self.log.append(act.__name__)
        await act()

    async def _do(self, work: Any, **options: Any) -> Any:
        async with self.core.database.write() as transaction:
            return await work(transaction, user=CHEN, now=clock.now(), **options)

    async def open(self) -> None:
        if len(self.known) < 3:
            new = complaints.Opening("case-p1", "general", "he shouted")
            row = await self._do(complaints.open_complaint, new=new, zone="Asia/Shanghai")
            self.known[row.id] = Told(self.collector)

    async def _on_one(self, work: Any, allowed: Any, **options: Any) -> Told | None:
        if not self.known:
            return None
        identifier = self.chance.choice(list(self.known))
        told = self.known[identifier]
        if not allowed(told):
            with pytest.raises(Conflict):
                await self._do(work, complaint_id=identifier, **options)
            return None
        await self._do(work, complaint_id=identifier, **options)
        return told

    async def close(self) -> None:
        told = await self._on_one(
            complaint_rulings.close, lambda one: one.state == "open", ruling="heard the recording"
        )
        if told is not None:
            told.state = "closed"

    async def resume(self) -> None:
        other = self.chance.choice(("zhao", "wu"))
        about_other = any(one.former == other for one in self.known.values())
        if about_other:
            return
        told = await self._on_one(
            complaint_rulings.instruct,
            lambda one: one.state == "closed" and not one.resumed,
            resume=True,
            assign_to=other,
        )
        if told is not None:
            told.resumed, self.collector = True, other

    async def keep_stopped(self) -> None:
        told = await self._on_one(
            complaint_rulings.instruct, lambda one: one.state == "closed", resume=False, assign_to=None
        )
        if told is not None:
            told.resumed = False

    async def reopen(self) -> None:
        told = await self._on_one(
            complaint_rulings.reopen, lambda one: one.state == "closed", reason="a recording turned up"
        )
        if told is not None:
            told.state, told.resumed = "open", False

    async def undo(self) -> None:
        if not self.known:
            return
        identifier = self.chance.choice(list(self.known))
        before = await self._row(identifier)
        if before.state == "open":
            with pytest.raises(Conflict):
                await self._do(complaint_rulings.undo, complaint_id=identifier, reason="a slip")
            return
        await self._do(complaint_rulings.undo, complaint_id=identifier, reason="a slip")
        after = await self._row(identifier)
        self.known[identifier].state, self.known[identifier].resumed = after.state, after.instructed
        assert not after.instructed, "what is undone never lets anybody call"

    async def _row(self, identifier: str) -> Any:
        async with self.core.database.read() as connection:
            return await complaints.find(connection, identifier, CHEN)

    async def refresh(self) -> None:
        """Whose case it is now, after what was undone."""
        async with self.core.database.read() as connection:
            row = (await connection.exec_driver_sql("SELECT collector FROM cases WHERE id = 'case-p1'")).one()
        self.collector = row.collector

    async def everyone_is_told(self) -> None:
        """Each collector's click reserves a call or is denied by the rule expected; the supervisor may handle the complaint."""
        for index, agent in enumerate(COLLECTORS):
            denied = await self.reserve(agent, "collector", "collect", f"100{index + 1}")
            expected = self.expected(agent)
            assert expected in denied if expected else not denied, (agent, denied, self.log, self.known)
        if any(one.state == "open" or not one.resumed for one in self.known.values()):
            assert await self.reserve("chen", "supervisor", "collect", "1009"), (
                "a supervisor who collects is a collector"
            )
            assert await self.reserve("li", "collector", "complaint", "1001")
        assert not await self.reserve("chen", "supervisor", "complaint", "1009"), (self.log, self.known)

    async def reserve(self, agent: str, role: str, purpose: str, extension: str) -> set[str]:
        """A click that reserves, and is given back at once; the rules that deny it."""
        subject, now = Subject("case-p1", "p1", NUMBER, agent, role, purpose), clock.now()
        async with self.core.database.write() as transaction:
            decision, row = await self.core.dialer.reserve(
                transaction, subject, Phone(PBX, extension), new_id(now), now
            )
            if row is not None:
                await call_records.end(
                    transaction, row.id, now + timedelta(seconds=1), Ending(EndReason.CANCELED, NOT_PLACED)
                )
        assert decision.allowed == (row is not None)
        return {denial.rule for denial in decision.verdict.denials}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_the_order_only_who_may_call_gets_a_call(core: DialCore, seed: int) -> None:
    await core.policy()
    async with core.database.write() as transaction:
        for name in COLLECTORS:
            new = NewUser.model_validate({"name": name, "role": "collector"})
            await users.add_user(transaction, new, actor="tests", now=clock.now())
        await transaction.connection.exec_driver_sql("UPDATE cases SET collector = 'li' WHERE id = 'case-p1'")
    story = Story(core, random.Random(seed), collector="li")
    for _ in range(14):
        await story.step()
        await story.refresh()
        await story.everyone_is_told()


async def test_a_click_before_the_complaint_is_stopped_before_it_is_dialled(core: DialCore) -> None:
    """The reservation stands, the complaint comes, and the decision at the gate is a new one."""
    await core.policy()
    call = await core.reserved("li")
    async with core.database.write() as transaction:
        new = complaints.Opening("case-p1", "general", "he shouted")
        await complaints.open_complaint(transaction, new, zone="Asia/Shanghai", user=CHEN, now=clock.now())
    async with core.database.read() as connection:
        again = await core.decider.decide(connection, core.subject("li"), clock.now(), without_call=call.id)
    assert again.verdict.rule == "house/complaint-open"
    assert (await core.call(call.id)).ended_at is None
