"""E-mail: an outbox in the database that is filled with what happened, and emptied into a mail server with patience.

A message is written in the transaction that moves the reader of the journal, so each is in the outbox once; a mail server
that is down loses nothing. One that takes the message and dies before it says so gets it again, under the same Message-ID.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.engine import Row

from config.database import Database
from config.deadlines import claim_due
from config.journal import Entry
from config.settings import Mail
from crm_bridge.clocks.tables import outbox

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=5)
PATIENCE = 15.0
"""Seconds for each answer of the mail server."""
BATCH = 20
FIRST_RETRY, LONGEST_RETRY, GIVE_UP = timedelta(seconds=30), timedelta(hours=1), timedelta(days=3)


class Refused(Exception):
    """The mail server will never take this message: the address or the message is wrong."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """Sends what is due, one connection a batch."""

    database: Database
    settings: Mail

    async def tick(self, now: datetime) -> int:
        """Send what is due; how many messages were tried."""
        async with self.database.write() as transaction:
            rows = await claim_due(transaction, outbox, now, lease=LEASE, limit=BATCH)
        if not rows:
            return 0
        results = await asyncio.to_thread(_send, self.settings, rows)
        async with self.database.write() as transaction:
            for row, error in zip(rows, results, strict=True):
                values = _after(row, error, now)
                await transaction.execute(update(outbox).where(outbox.c.id == row.id).values(**values))
                if values["state"] == "failed":
                    data = {
                        "mail_id": row.id,
                        "recipient": row.recipient,
                        "subject": row.subject,
                        "error": values["last_error"],
                    }
                    transaction.journal(Entry(now, "mail.failed", data=data))
        return len(rows)


def _after(row: Row[Any], error: Exception | None, now: datetime) -> dict[str, Any]:
    """What becomes of a message: sent; tried again, ever more slowly; or given up and told."""
    if error is None:
        return {"state": "sent", "sent_at": now, "due_at": None, "last_error": None}
    said = _told(error)[:500]
    following = now + min(FIRST_RETRY * 2 ** min(row.attempts - 1, 20), LONGEST_RETRY)
    if isinstance(error, Refused) or following > row.created_at + GIVE_UP:
        return {"state": "failed", "due_at": None, "last_error": said}
    log.warning("mail.not_sent", mail=row.id, attempts=row.attempts, error=said)
    return {"state": "queued", "due_at": following, "last_error": said}


def _told(error: Exception) -> str:
    """What went wrong, as whoever runs the service can mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate is not trusted, nothing was sent: {error.verify_message} (mail.ca_file)"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with the mail server, nothing was sent: {error.reason or error} (mail.tls, mail.port)"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"the mail server does not offer what mail.tls asks for, nothing was sent: {error}"
    return f"{type(error).__name__}: {error}"


def _send(settings: Mail, rows: Sequence[Row[Any]]) -> list[Exception | None]:
    """Hand the messages over, in a thread: `smtplib` waits. What is wrong with one message leaves the others alone."""
    try:
        server = connected(settings)
    except (OSError, smtplib.SMTPException) as error:
        return [error] * len(rows)
    with server:
        return [_handed_over(server, settings, row) for row in rows]


def connected(settings: Mail) -> smtplib.SMTP:
    """A connection to the mail server, logged in; blocking. Raises OSError, SMTPException."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(settings.ca_file)
    server: smtplib.SMTP
    if settings.tls == "tls":
        server = smtplib.SMTP_SSL(settings.host or "", settings.port, timeout=PATIENCE, context=context)
    else:
        server = smtplib.SMTP(settings.host or "", settings.port, timeout=PATIENCE)
    try:
        if settings.tls == "starttls":
            server.starttls(context=context)
        if settings.username:
            server.login(settings.username, settings.password.get_secret_value() if settings.password else "")
    except BaseException:
        server.close()
        raise
    return server


def _handed_over(server: smtplib.SMTP, settings: Mail, row: Row[Any]) -> Exception | None:
    try:
        server.send_message(_message(settings, row), settings.sender, [row.address])
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as error:
        return Refused(_reason(error)) if _code(error) >= 500 else error
    except ValueError as error:  # a header that no message may have
        return Refused(str(error))
    except (OSError, smtplib.SMTPException) as error:
        return error
    return None


def _code(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values())
    return int(error.smtp_code)


def _reason(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{code} {said.decode(errors='replace')}" for code, said in error.recipients.values())
    said = error.smtp_error
    return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"


def _message(settings: Mail, row: Row[Any]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.sender, row.address, row.subject
    message["Date"] = format_datetime(row.created_at)
    message["Message-ID"] = row.message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers to us
    message.set_content(row.body)
    return message
