"""Mail on a real mail server: told once, in the reader's language, and nothing lost while the server is away or refuses."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from config import clock
from config.journal import Entry
from config.settings import Mail
from crm_bridge.clocks.jobs import deadline_clock
from crm_bridge.clocks.mail import Outbox
from crm_bridge.clocks.mail_notices import MailNotices
from crm_bridge.clocks.tables import outbox
from crm_bridge.workers import JournalReader
from tests.support.api import Service
from tests.support.desk import case
from tests.support.mail_server import MailServer, mail_server

ZONE = "Asia/Shanghai"
COMPLAINT = {"case_id": "c1", "severity": "general", "text": "the debtor's secret"}


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


@pytest.fixture
async def desk(service: Service) -> Service:
    """A collector, a supervisor who reads English, one who reads Chinese, one without an address, an admin."""
    await service.add("crm", "crm")
    await service.add("li", "collector", team="north", email="li@example.com", language="zh")
    await service.add("chen", "supervisor", team="north", email="chen@example.com", language="en")
    await service.add("wu", "supervisor", team="north", email="wu@example.com", language="zh")
    await service.add("sun", "supervisor", team="north")
    await service.add("root", "admin", email="root@example.com", language="en")
    await service.put("/v1/cases/c1", "crm", case(collector="li"), status=201)
    return service


def settings(server: MailServer, **fields: Any) -> Mail:
    return Mail(host="127.0.0.1", port=server.port, sender="ringfence@bank.example", **fields)


async def collect(desk: Service, mail: Mail) -> None:
    """Have what happened written into the outbox."""
    notices = MailNotices(mail, "https://calls.example/", ZONE)
    reader = JournalReader(name="mail", database=desk.database, subscribers=notices.subscribers)
    while await reader.read_on():
        pass


async def states(desk: Service) -> list[str]:
    async with desk.database.read() as connection:
        return list(await connection.scalars(select(outbox.c.state).order_by(outbox.c.id)))


async def test_a_complaint_and_its_escalation_are_mailed_to_those_who_are_told(
    desk: Service, server: MailServer
) -> None:
    opened = await desk.post("/v1/complaints", "li", COMPLAINT)
    await deadline_clock(desk.database, ZONE).tick(clock.now() + timedelta(minutes=31))
    mail = settings(server)
    await collect(desk, mail)
    while await Outbox(desk.database, mail).tick(clock.now() + timedelta(hours=1)):
        pass
    told = sorted((str(letter["To"]), str(letter["Subject"])) for letter in server.letters.arrived)
    assert told == [
        ("chen@example.com", "Escalated: General complaint on case c1"),
        ("chen@example.com", "General complaint on case c1"),
        ("li@example.com", "已逾期:投诉环节,案件 c1".replace(":", "\uff1a").replace(",", "\uff0c")),
        ("wu@example.com", "投诉上报:案件 c1(一般)".replace(":", "\uff1a").replace("(", "\uff08").replace(")", "\uff09")),
        ("wu@example.com", "案件 c1 有一般投诉"),
    ]  # fmt: skip
    english = next(letter for letter in server.letters.arrived if letter["Subject"] == told[0][1])
    text = english.get_content()
    assert f"https://calls.example/supervisor/complaints/{opened['id']}" in text
    assert "the debtor's secret" not in text
    assert "13800138000" not in text
    assert (english["From"], english["Auto-Submitted"]) == ("ringfence@bank.example", "auto-generated")
    assert set(await states(desk)) == {"sent"}


async def test_read_again_nothing_is_mailed_twice(desk: Service, server: MailServer) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    mail = settings(server)
    await collect(desk, mail)
    notices = MailNotices(mail, None, ZONE)
    (entry,) = await desk.journal("complaint.opened")
    async with desk.database.write() as transaction:  # as after a reader that died before it moved on
        await notices.tell(transaction, Entry(**entry._mapping))
        await notices.tell(transaction, replace(Entry(**entry._mapping), at=clock.now() - timedelta(days=2), id=9999))
    assert await states(desk) == ["queued", "queued"]


async def test_a_mail_server_that_is_away_loses_nothing(desk: Service, server: MailServer) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    mail = settings(server)
    await collect(desk, mail)
    server.stop()
    now, sender = clock.now(), Outbox(desk.database, mail)
    for minutes in (0, 1, 3, 10, 60):
        await sender.tick(now + timedelta(minutes=minutes))
    assert await states(desk) == ["queued", "queued"]
    await server.start()
    await sender.tick(now + timedelta(hours=3))
    assert await states(desk) == ["sent", "sent"]
    assert len(server.letters.arrived) == 2


async def test_a_server_that_says_later_is_asked_again_and_one_that_says_never_is_told(
    desk: Service, server: MailServer
) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    mail = settings(server)
    await collect(desk, mail)
    server.letters.refused.add("wu@example.com")
    server.letters.answer = "451 4.7.1 try again later"
    now, sender = clock.now(), Outbox(desk.database, mail)
    await sender.tick(now)
    assert sorted(await states(desk)) == ["failed", "queued"]
    (entry,) = await desk.journal("mail.failed")
    assert (entry.data["recipient"], "550" in entry.data["error"]) == ("wu", True)
    server.letters.answer = "250 OK"
    await sender.tick(now + timedelta(minutes=1))
    assert sorted(await states(desk)) == ["failed", "sent"]


async def test_after_days_of_trying_it_is_given_up_and_told(desk: Service, server: MailServer) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    mail = settings(server)
    await collect(desk, mail)
    server.stop()
    await Outbox(desk.database, mail).tick(clock.now() + timedelta(days=3, hours=1))
    assert await states(desk) == ["failed", "failed"]
    assert len(await desk.journal("mail.failed")) == 2


async def test_a_sender_that_died_after_claiming_is_followed_by_another(desk: Service, server: MailServer) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    mail = settings(server)
    await collect(desk, mail)
    now = clock.now()
    async with desk.database.write() as transaction:
        await transaction.execute(update(outbox).values(due_at=now + timedelta(minutes=5)))
    sender = Outbox(desk.database, mail)
    assert await sender.tick(now + timedelta(minutes=4)) == 0
    assert await sender.tick(now + timedelta(minutes=5)) == 2


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
async def test_it_logs_in_where_the_server_asks_for_it(desk: Service) -> None:
    await desk.post("/v1/complaints", "li", COMPLAINT)
    async with mail_server(log_in=True) as server:
        wrong = settings(server, username="ringfence", password=SecretStr("wrong"))
        await collect(desk, wrong)
        now = clock.now()
        await Outbox(desk.database, wrong).tick(now)
        assert await states(desk) == ["queued", "queued"]
        right = settings(server, username="ringfence", password=SecretStr("secret"))
        await Outbox(desk.database, right).tick(now + timedelta(minutes=1))
        assert await states(desk) == ["sent", "sent"]


@pytest.mark.parametrize("address", ["a@b\r\nBcc: c@d", "no-at", "a b@c", "@b", "a@", "x" * 65 + "@b.c"])
async def test_an_address_that_is_none_is_refused(desk: Service, address: str) -> None:
    await desk.patch("/v1/users/chen", "root", {"email": address}, status=422)
    await desk.patch("/v1/users/chen", "root", {"email": None})
