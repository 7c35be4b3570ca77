"""Mail over STARTTLS and over TLS from the first byte, against a real server: nothing goes to one that cannot be verified."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from config import clock
from config.database import Database
from config.settings import Mail
from crm_bridge.clocks.mail import Outbox
from crm_bridge.clocks.tables import outbox
from tests.support.certificates import certificate
from tests.support.mail_server import MailServer, mail_server

WAYS = ("starttls", "tls")
Own = Callable[[str], tuple[ssl.SSLContext, Path]]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """A server's TLS and its certificate's file, for a host name."""

    def made(host: str) -> tuple[ssl.SSLContext, Path]:
        pem, key = certificate(tmp_path, host)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem, key)
        return context, pem

    return made


async def queue(database: Database) -> None:
    now = clock.now()
    letter = {
        "id": "m1", "key": "1:chen", "recipient": "chen", "address": "chen@example.com", "subject": "subject",
        "body": "the body", "message_id": "<m1@bank.example>", "created_at": now, "due_at": now, "attempts": 0,
        "state": "queued",
    }  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(outbox).values(**letter))


async def row(database: Database) -> tuple[str, str | None]:
    async with database.read() as connection:
        found = (await connection.execute(select(outbox.c.state, outbox.c.last_error))).one()
    return found.state, found.last_error


def settings(server: MailServer, **fields: object) -> Mail:
    return Mail.model_validate({"host": "localhost", "port": server.port, "sender": "a@bank.example", **fields})


def served(way: str, context: ssl.SSLContext) -> dict[str, ssl.SSLContext]:
    return {way: context}


@pytest.mark.parametrize("way", WAYS)
async def test_a_letter_goes_encrypted_to_a_server_that_can_be_verified(database: Database, own: Own, way: str) -> None:
    context, pem = own("localhost")
    await queue(database)
    async with mail_server(**served(way, context)) as server:
        await Outbox(database, settings(server, tls=way, ca_file=pem)).tick(clock.now())
        assert [str(letter["To"]) for letter in server.letters.arrived] == ["chen@example.com"]
    assert await row(database) == ("sent", None)


@pytest.mark.parametrize("way", WAYS)
async def test_a_certificate_that_is_not_trusted_is_told_and_the_letter_waits(
    database: Database, own: Own, way: str
) -> None:
    context, pem = own("localhost")
    await queue(database)
    async with mail_server(**served(way, context)) as server:
        now = clock.now()
        await Outbox(database, settings(server, tls=way)).tick(now)
        assert server.letters.arrived == []
        state, error = await row(database)
        assert state == "queued"
        assert "certificate is not trusted" in (error or "")
        await Outbox(database, settings(server, tls=way, ca_file=pem)).tick(now + timedelta(minutes=1))
        assert len(server.letters.arrived) == 1
    assert await row(database) == ("sent", None)


@pytest.mark.parametrize("way", WAYS)
async def test_a_certificate_of_another_host_is_refused(database: Database, own: Own, way: str) -> None:
    context, pem = own("somebody-else.example")
    await queue(database)
    async with mail_server(**served(way, context)) as server:
        await Outbox(database, settings(server, tls=way, ca_file=pem)).tick(clock.now())
        assert server.letters.arrived == []
    state, error = await row(database)
    assert (state, "Hostname mismatch" in (error or "")) == ("queued", True)


async def test_a_server_without_starttls_gets_nothing_in_the_clear(database: Database) -> None:
    await queue(database)
    async with mail_server() as server:
        await Outbox(database, settings(server, tls="starttls")).tick(clock.now())
        assert server.letters.arrived == []
    state, error = await row(database)
    assert (state, "mail.tls" in (error or "")) == ("queued", True)


async def test_a_server_that_speaks_no_tls_where_it_should_is_told(database: Database) -> None:
    await queue(database)
    async with mail_server() as server:
        await Outbox(database, settings(server, tls="tls")).tick(clock.now())
        assert server.letters.arrived == []
    state, error = await row(database)
    assert (state, "no TLS with the mail server" in (error or "")) == ("queued", True)


async def test_an_authority_file_that_is_not_there_is_told_and_nothing_is_lost(
    database: Database, own: Own, tmp_path: Path
) -> None:
    context, pem = own("localhost")
    await queue(database)
    async with mail_server(tls=context) as server:
        now = clock.now()
        await Outbox(database, settings(server, tls="tls", ca_file=tmp_path / "missing.pem")).tick(now)
        assert (await row(database))[0] == "queued"
        await Outbox(database, settings(server, tls="tls", ca_file=pem)).tick(now + timedelta(minutes=1))
    assert await row(database) == ("sent", None)
