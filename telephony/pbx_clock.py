"""How far the PBX's clock is from ours: its marker times and our calling hours must mean the same moment."""

import re

from config import clock
from telephony.ami import AmiLink


async def clock_difference(link: AmiLink) -> float | None:
    """Seconds apart at least, 0 when the answer could have been given at the same moment; None when the PBX doesn't say."""
    before = clock.now().timestamp()
    stamp = (await link.send("Ping")).fields.get("Timestamp", "")
    after = clock.now().timestamp()
    if not re.fullmatch(r"\d+(\.\d+)?", stamp):
        return None
    return max(before - float(stamp), float(stamp) - after, 0.0)
