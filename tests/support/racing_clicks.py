"""A process of its own that reserves the last attempt many times at one moment; prints what each was told.

Run as `python -m tests.support.racing_clicks URL FIRST COUNT [PARTY=NUMBER]...`: to these people in turn, or all to one. It
begins when a line arrives on its standard input.
"""

import asyncio
import json
import sys
from typing import Any

from config import clock
from config.database import Database
from config.identifiers import new_id
from config.settings import Policy
from crm_bridge.cases.facts import case_facts
from crm_bridge.click import denial_document
from telephony.dialling.decisions import Decider
from telephony.dialling.dialer import Dialer, Phone
from telephony.dialling.gathering import Gathering, Subject

PERSON = "p1=+8613800138000"


def whom(person: str, agent: str) -> Subject:
    """The subject of a click on `PARTY=NUMBER`."""
    party, _, number = person.partition("=")
    return Subject(f"case-{party}", party, number, agent, "collector")


async def reserve(dialer: Dialer, index: int, person: str) -> dict[str, Any]:
    """One click's reservation: the call it got, or the calls that the denial names."""
    subject = whom(person, f"agent{index}")
    now = clock.now()
    async with dialer.database.write() as transaction:
        phone = Phone("main", str(1001 + index))
        decision, call = await dialer.reserve(transaction, subject, phone, new_id(now), now)
    if call is not None:
        return {"call": call.id}
    return {"rule": decision.verdict.rule, "competing": denial_document(decision).get("competing")}


async def main(url: str, first: int, count: int, people: list[str]) -> None:
    """Reserve `count` times at once, as agents of their own with phones of their own."""
    database = Database(url)
    gathering = Gathering(case_facts, Policy(packs=["house"]), lambda: True)
    dialer = Dialer(database, Decider(gathering), {}, 20)
    async with database.read() as connection:
        await dialer.decider.decide(connection, whom(people[0], "warm"), clock.now())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    clicks = (reserve(dialer, first + index, people[index % len(people)]) for index in range(count))
    told = await asyncio.gather(*clicks)
    print(json.dumps(told), flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] or [PERSON]))
