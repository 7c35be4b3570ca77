"""The fault of a click that no trunk could take at this moment: nothing is reserved and no phone rings."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Fault
from telephony.trunking.choosing import NoWay, Wanted, ways_for


class NoTrunk(Fault):
    """No trunk takes a call to this number now; the member `why` says which kind of hindrance it is."""

    code = "no-trunk"
    status = 503
    title = "No line for this number"


_SENTENCES = {
    NoWay.NONE: "no trunk is set up for this number; an administrator can add one",
    NoWay.CLOSED: "the trunks for this number are closed at this hour",
    NoWay.NO_CALLER_ID: "there is no number that this call may show, or each was shown often enough today",
    NoWay.FULL: "all lines for this number are taken; try again in a moment",
}


async def require_way(connection: AsyncConnection, wanted: Wanted, now: datetime) -> None:
    """Raise NoTrunk unless a trunk could take the call now. The gate asks again, and counts."""
    found = await ways_for(connection, wanted, now)
    if isinstance(found, NoWay):
        raise NoTrunk(_SENTENCES[found], why=found.value)
