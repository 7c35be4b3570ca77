"""The states of a call, declared once. The README draws this table; a test holds the two together."""

from enum import StrEnum


class State(StrEnum):
    """Where a call stands."""

    QUEUED = "queued"
    CALLING_AGENT = "calling_agent"
    CALLING_CUSTOMER = "calling_customer"
    CONNECTED = "connected"
    HELD = "held"
    UNKNOWN = "unknown"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a call ended, in the words shown to a collector."""

    COMPLETED = "completed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    CANCELED = "canceled"
    FAILED = "failed"
    AGENT_NO_ANSWER = "agent_no_answer"
    AGENT_BUSY = "agent_busy"
    DENIED_AT_DIAL = "denied_at_dial"
    CLOSED = "closed"
    LOST = "lost"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.CALLING_AGENT, State.CALLING_CUSTOMER, State.UNKNOWN, State.ENDED}),
    # An inbound call is connected by the collector who answers.
    State.CALLING_AGENT: frozenset({State.CALLING_CUSTOMER, State.CONNECTED, State.UNKNOWN, State.ENDED}),
    State.CALLING_CUSTOMER: frozenset({State.CONNECTED, State.UNKNOWN, State.ENDED}),
    State.CONNECTED: frozenset({State.HELD, State.UNKNOWN, State.ENDED}),
    State.HELD: frozenset({State.CONNECTED, State.UNKNOWN, State.ENDED}),
    # What the PBX tells us after silence puts an unknown call back where it is.
    State.UNKNOWN: frozenset({State.CALLING_AGENT, State.CALLING_CUSTOMER, State.CONNECTED, State.HELD, State.ENDED}),
    State.ENDED: frozenset(),
}

BEFORE_THE_GATE = frozenset({State.QUEUED, State.CALLING_AGENT, State.UNKNOWN})
"""States in which the gate may still let a customer leg out."""


def sources_of(target: State) -> list[State]:
    """The states from which a call may go to `target`."""
    return [state for state, targets in TRANSITIONS.items() if target in targets]
