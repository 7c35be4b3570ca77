"""The link to one PBX over the Asterisk Manager Interface (AMI): typed events in, checked actions out.

`AmiLink` is the whole of it for callers. Behind it: `link` (the life of a link), `wire` (one TCP connection, and the
project's only panoramisk import), `answers` (which reply belongs to which action), `values` (what may be written),
`inbox` (from the link's synchronous callbacks to one ordered queue).
"""

from telephony.ami.answers import Answer, AnswerUnknown, PbxUnavailable
from telephony.ami.inbox import Inbox, InboxFullError, StateChange
from telephony.ami.link import AmiAccount, AmiLink
from telephony.ami.states import LinkState, LinkStatus

__all__ = [
    "AmiAccount",
    "AmiLink",
    "Answer",
    "AnswerUnknown",
    "Inbox",
    "InboxFullError",
    "LinkState",
    "LinkStatus",
    "PbxUnavailable",
    "StateChange",
]
