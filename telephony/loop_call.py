"""A call from the PBX to itself, recorded by the very lines that record every call: each end plays a tone of its own.

One after the other: Asterisk passes nothing between two ends of a Local channel that both play tones.
"""

import re

from telephony.ami import AmiLink
from telephony.dialplan import FAMILY
from telephony.pbx_probe import PbxConfigFailed, run_steps

SECONDS = 4
SAID_HZ, HEARD_HZ = 1000, 700
"""What the recorded leg's party says (channel 0) in the first half, and what it is played (channel 1) in the second."""
_PATIENCE = SECONDS + 8.0


async def loop_call(link: AmiLink, call_id: str) -> str:
    """Have the PBX record `SECONDS` of two tones as the agent leg of `call_id`; the leg's uniqueid, once it has ended.

    No trunk and no phone takes part. Raises PbxConfigFailed when the PBX does not do it.
    """
    half = str(SECONDS / 2)
    far = (("Answer", ""), ("PlayTones", str(SAID_HZ)), ("Wait", half), ("StopPlayTones", ""), ("Wait", "60"))
    # The near end has a plain uniqueid, as a leg's file name needs it; that of a Local channel's far end holds a `;`.
    near = (
        ("Set", f"RINGFENCE_CALL={call_id}"),
        ("Gosub", "ringfence-leg,s,1(agent)"),
        ("Wait", half),
        ("PlayTones", str(HEARD_HZ)),
        ("Wait", half),
        ("Set", f"DB({FAMILY}/probe/${{RINGFENCE_TOKEN}})=${{UNIQUEID}}"),
        ("Hangup", ""),
    )
    uniqueid = await run_steps(link, far, near=near, timeout=_PATIENCE)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", uniqueid):
        raise PbxConfigFailed(f"The loop call ended without naming its leg: {uniqueid!r}.")
    # What the leg's hangup handler wrote down belongs to no call in the books.
    await link.send("DBDel", {"Family": FAMILY, "Key": f"leg/{call_id}/agent/{uniqueid}"})
    return uniqueid
