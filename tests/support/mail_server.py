"""A real mail server (aiosmtpd) on a port of its own, which a test can have refuse, hold back or forget."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Letters:
    """What arrived, and how the next messages are answered."""

    def __init__(self) -> None:
        self.arrived: list[EmailMessage] = []
        self.answer = "250 OK"
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse it for good."""
        if address in self.refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        """Take a message when it is answered with 250."""
        if self.answer.startswith("250"):
            content = envelope.content if isinstance(envelope.content, bytes) else b""
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.arrived.append(message)
        return self.answer


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ringfence", b"secret")
    return AuthResult(success=known, handled=True)


class MailServer:
    """The server, in the test's own event loop; `stop` and `start` on the same port as before."""

    def __init__(
        self, *, log_in: bool = False, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
    ) -> None:
        self.letters = Letters()
        self._log_in = log_in
        self.tls, self.starttls = tls, starttls
        self._server: asyncio.Server | None = None
        self.port = 0

    def _smtp(self) -> SMTP:
        if self.starttls is not None:
            return SMTP(self.letters, hostname="mail.test", tls_context=self.starttls, require_starttls=True)
        if not self._log_in:
            return SMTP(self.letters, hostname="mail.test")
        return SMTP(
            self.letters, hostname="mail.test", authenticator=_authenticate, auth_required=True, auth_require_tls=False
        )

    async def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = await asyncio.get_running_loop().create_server(self._smtp, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Go away: connections are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None


@asynccontextmanager
async def mail_server(
    *, log_in: bool = False, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[MailServer]:
    """A running server; `tls` from the first byte on, `starttls` once it was asked for, and no mail without it."""
    server = MailServer(log_in=log_in, tls=tls, starttls=starttls)
    await server.start()
    try:
        yield server
    finally:
        server.stop()
