"""Which reply belongs to which action, and what became of the actions that got none."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from config.errors import Fault

Headers = Mapping[str, str]
"""One AMI message, by header name. A header that came several times has its values joined by a line feed."""


class PbxUnavailable(Fault):
    """There is no working link: nothing was sent, so nothing happened and trying again is safe."""

    code = "pbx-unavailable"
    status = 503
    title = "The telephone system cannot be reached"


class AnswerUnknown(Fault):
    """The action was handed to the socket and no answer came: it may have happened. Never send it again blindly."""

    code = "pbx-answer-unknown"
    status = 504
    title = "The telephone system did not answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the PBX replied to one action; `ok` is False for `Response: Error` and then `message` says why.

    `events` are the entries of a list action (`EventList: start`), in order, without the closing one; `listed` is how many
    the PBX says there are, None where it does not say.
    """

    ok: bool
    message: str
    fields: Headers
    events: tuple[Headers, ...] = ()
    listed: int | None = None

    @property
    def action_id(self) -> str:
        """The ActionID that the action was sent with."""
        return self.fields.get("ActionID", "")

    @property
    def output(self) -> list[str]:
        """The lines that a CLI command printed."""
        return self.fields["Output"].split("\n") if "Output" in self.fields else []


@dataclass(slots=True)
class _Exchange:
    """One action on the wire: its reply, and the entries gathered so far if the reply opened a list."""

    action: str
    deadline: float
    answer: asyncio.Future[Answer]
    reply: Headers | None = None
    entries: list[Headers] = field(default_factory=list)

    def resolve(self, listed: str = "") -> None:
        reply = self.reply or {}
        if not self.answer.done():
            ok = reply.get("Response") in ("Success", "Follows", "Goodbye")
            count = int(listed) if listed.isdecimal() else None
            self.answer.set_result(Answer(ok, reply.get("Message", ""), reply, tuple(self.entries), count))


class Exchanges:
    """The actions of ONE connection that wait for their reply. They die with it: nothing is ever replayed."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Exchange] = {}

    def open(self, action_id: str, action: str, deadline: float) -> asyncio.Future[Answer]:
        """Expect a reply to `action_id`; `deadline` is the moment (loop time) at which its sender stops waiting."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[action_id] = _Exchange(action, deadline, answer)
        return answer

    def close(self, action_id: str) -> None:
        """Stop expecting it: a reply that comes later belongs to nobody and is ignored."""
        self._waiting.pop(action_id, None)

    def last_deadline(self) -> float:
        """When the most patient sender gives up (loop time); 0 if nobody waits."""
        return max((exchange.deadline for exchange in self._waiting.values()), default=0.0)

    def take_reply(self, message: Headers) -> None:
        """A `Response:` arrived. A second one for the same action, or one that nobody waits for, changes nothing."""
        exchange = self._waiting.get(message.get("ActionID", ""))
        if exchange is None or exchange.reply is not None:
            return
        exchange.reply = message
        if message.get("EventList", "").lower() != "start":
            exchange.resolve()

    def take_entry(self, message: Headers) -> bool:
        """An `Event:` arrived; True if it is an entry of a list that somebody asked for."""
        exchange = self._waiting.get(message.get("ActionID", ""))
        if exchange is None or exchange.reply is None or exchange.answer.done():
            return False
        if message.get("EventList"):
            exchange.resolve(message.get("ListItems", ""))
        else:
            exchange.entries.append(message)
        return True

    def lose(self, reason: str) -> None:
        """The connection is gone: every open action may or may not have happened."""
        for exchange in self._waiting.values():
            if not exchange.answer.done():
                fault = AnswerUnknown(f"{exchange.action} was sent, but the link was lost before the answer: {reason}")
                exchange.answer.set_exception(fault)
        self._waiting.clear()
