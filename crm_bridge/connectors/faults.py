"""What can go wrong between us and a CRM, said so that an admin knows what to do."""

from datetime import datetime


class CrmFault(Exception):
    """The CRM did not do what was asked. `status` and `answer` (its first 2 KB) are what it said, where it said anything."""

    may_have_arrived = False
    """Whether it may have done what was asked all the same."""

    def __init__(self, reason: str, *, status: int | None = None, answer: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.answer = answer[:2048]


class Unreachable(CrmFault):
    """Nobody took the request: nothing was sent."""


class NoAnswer(CrmFault):
    """The request went out and nothing, or half an answer, came back."""

    may_have_arrived = True


class Broken(CrmFault):
    """A fault of the CRM, or something else answers in its place."""

    may_have_arrived = True


class Busy(CrmFault):
    """It asks to be left alone for a while, until `not_before` where it says so."""

    not_before: datetime | None = None


class AccessLost(CrmFault):
    """The token opens nothing any more."""


class NotThere(CrmFault):
    """There is no such database or record."""


class Rejected(CrmFault):
    """It understood, and will not: what was asked is wrong, or not allowed."""
