"""A process of its own that reserves one person's last attempt many times at one moment; prints what each was told.

Run as `python -m tests.support.racing_clicks URL FIRST COUNT`; begins when a line arrives on its standard input.
"""

import asyncio
import json
import sys
from typing import Any

from config import clock
from config.database import Database
from config.identifiers import new_id
from config.settings import Policy
from crm_bridge.case_facts import case_facts
from crm_bridge.click import denial_document
from telephony.decisions import Decider
from telephony.dialer import Dialer, Phone
from telephony.gathering import Gathering, Subject

NUMBER = "+8613800138000"


async def reserve(dialer: Dialer, index: int) -> dict[str, Any]:
    """One click's reservation: the call it got, or the calls that the denial names."""
    subject = Subject("case-p1", "p1", NUMBER, f"agent{index}", "collector")
    now = clock.now()
    async with dialer.database.write() as transaction:
        phone = Phone("main", str(1001 + index))
        decision, call = await dialer.reserve(transaction, subject, phone, new_id(now), now)
    if call is not None:
        return {"call": call.id}
    return {"rule": decision.verdict.rule, "competing": denial_document(decision).get("competing")}


async def main(url: str, first: int, count: int) -> None:
    """Reserve `count` times at once, as agents of their own with phones of their own."""
    database = Database(url)
    gathering = Gathering(case_facts, Policy(packs=["house"]), lambda: True)
    dialer = Dialer(database, Decider(gathering), {}, 20)
    async with database.read() as connection:
        await dialer.decider.decide(connection, Subject("case-p1", "p1", NUMBER, "warm", "collector"), clock.now())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    told = await asyncio.gather(*(reserve(dialer, first + index) for index in range(count)))
    print(json.dumps(told), flush=True)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
