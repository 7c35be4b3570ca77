"""What happens to AMI messages on their way: each may be dropped, doubled, overtaken or held, by the dice of the round."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

from tests.support.ami_proxy import Treatment

AT_ONCE = (0.0,)


class Wire:
    """The treatments of a proxy. Shares are of the messages from the PBX; `originate_late` holds an order back (s)."""

    def __init__(self) -> None:
        self.dice = Random(0)
        self.originated = asyncio.Event()
        self.calm()

    def calm(self) -> None:
        """Pass everything on as it comes."""
        self.drop = self.double = self.overtake = 0.0
        self.swallow_reply = False
        self.originate_late = 0.0
        self._orders: set[bytes] = set()

    def watch(self) -> asyncio.Event:
        """An event that is set when the next Originate passes."""
        self.originated = asyncio.Event()
        return self.originated

    @property
    def treatments(self) -> Mapping[str, Treatment]:
        """For AmiProxy."""
        return {"to_pbx": self._to_pbx, "from_pbx": self._from_pbx}

    def _to_pbx(self, message: bytes) -> Sequence[float]:
        if b"Action: Originate" not in message:
            return AT_ONCE
        self.originated.set()
        if self.swallow_reply:
            self._orders.add(_action_id(message))
        return (self.originate_late,)

    def _from_pbx(self, message: bytes) -> Sequence[float]:
        if message.startswith(b"Response:") and _action_id(message) in self._orders:
            return ()
        is_event = message.startswith(b"Event:")
        if is_event and self.dice.random() < self.drop:
            return ()
        delays = [self.dice.uniform(0.02, 0.4) if self.dice.random() < self.overtake else 0.0]
        if self.dice.random() < self.double:
            delays.append(self.dice.choice((0.0, 0.2)))
        return delays


def _action_id(message: bytes) -> bytes:
    lines = (line for line in message.split(b"\r\n") if line.lower().startswith(b"actionid:"))
    return next(lines, b"").partition(b":")[2].strip()
