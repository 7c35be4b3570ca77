"""One AMI action over a connection of its own: how lab and tests drive Asterisk past the product's own link."""

import socket
from collections.abc import Callable, Mapping

from config.errors import Fault

Message = dict[str, str]
"""A message's headers; of a repeated header the last value, of `Output` all of them joined by newlines."""


class ActionFailed(Fault):
    """Asterisk answered an action with an error; the detail is its message."""

    code = "ami-action-failed"
    status = 502
    title = "Asterisk refused"


def ami_action(
    port: int, username: str, secret: str, headers: Mapping[str, str | list[str]], *, timeout: float = 30.0
) -> Message:
    """Log in at 127.0.0.1, send one action, return its response. A list value is sent as a header each.

    Raises ActionFailed if the log-in or the action is refused, OSError if Asterisk is not there.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as link, link.makefile("rwb") as wire:
        wire.readline()  # the banner
        login = {"Action": "Login", "Username": username, "Secret": secret, "Events": "off"}
        for sent in (login, headers):
            lines = [f"{name}: {value}" for name, values in sent.items() for value in _each(values)]
            wire.write("".join(f"{line}\r\n" for line in [*lines, "ActionID: lab", ""]).encode())
            wire.flush()
            answer = _response(wire.readline)
            if answer["Response"] == "Error":
                raise ActionFailed(f"{sent['Action']}: {answer.get('Message', '')} {answer.get('Output', '')}".strip())
    return answer


def _each(values: str | list[str]) -> list[str]:
    return [values] if isinstance(values, str) else values


def _response(readline: Callable[[], bytes]) -> Message:
    """The next message that is a response; events before it are dropped."""
    while True:
        message: Message = {}
        while line := readline().decode(errors="replace").rstrip("\r\n"):
            name, _, value = line.partition(": ")
            message[name] = f"{message[name]}\n{value}" if name == "Output" and name in message else value
        if not message:
            raise ConnectionError("Asterisk closed the AMI connection without an answer")
        if "Response" in message:
            return message
