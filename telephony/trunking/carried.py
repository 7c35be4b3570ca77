"""Which trunk carries a leg: the one whose endpoint its channel is on."""

import re

from sqlalchemy import ScalarSelect, func, select

from telephony.tables import calls, trunks

_CHANNEL = re.compile(r"PJSIP/(.+)-[0-9a-f]{8,}")


def trunk_of_leg(pbx: str, call_id: str, channel: str) -> ScalarSelect[str | None]:
    """The trunk's name, as a value to insert; null for a leg on none. A leg known by its marker alone names no channel:
    then it is the trunk that the call left by."""
    endpoint = _CHANNEL.fullmatch(channel)
    if not channel:
        return select(calls.c.trunk).where(calls.c.id == call_id).scalar_subquery()
    name = select(func.min(trunks.c.name)).where(trunks.c.pbx == pbx)
    return name.where(trunks.c.endpoint == (endpoint[1] if endpoint else "")).scalar_subquery()
