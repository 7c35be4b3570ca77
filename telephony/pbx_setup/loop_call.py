"""A call from the PBX to itself, recorded by the very lines that record every customer leg: each side plays its tone.

Two Local channels bridged by Dial(): between the two ends of one that both play tones, Asterisk passes nothing.
"""

import re

from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import FAMILY
from telephony.pbx_setup.probe import SETUP, PbxConfigFailed, run_steps

SECONDS = 4
SAID_HZ, HEARD_HZ = 700, 1000
"""What the recorded leg's party says (channel 0), and what it is played (channel 1)."""
ROLE = "customer"
_PATIENCE = SECONDS + 8.0


async def loop_call(link: AmiLink, call_id: str) -> str:
    """Have the PBX call itself for `SECONDS` and record the dialled leg; its uniqueid, once the call has ended.

    No trunk and no phone takes part. Raises PbxConfigFailed when the PBX does not do it.
    """
    steps = (
        ("Answer", ""),
        ("Set", f"__RINGFENCE_CALL={call_id}"),
        ("Dial", f"Local/TOKEN-party@{SETUP}/n,5,b(ringfence-leg^s^1({ROLE}))g"),
        ("Set", f"DB({FAMILY}/probe/TOKEN)=${{DIALSTATUS}}"),
    )
    others = {
        "near": (("PlayTones", str(HEARD_HZ)), ("Wait", "60")),
        "party": (("Answer", ""), ("PlayTones", str(SAID_HZ)), ("Wait", str(SECONDS)), ("Hangup", "")),
    }
    status = await run_steps(link, steps, others=others, timeout=_PATIENCE)
    # The leg's hangup handler named it, in a marker that belongs to no call of the books.
    tree = f"leg/{call_id}"
    marks = await link.send("DBGetTree", {"Family": FAMILY, "Key": tree})
    await link.send("DBDelTree", {"Family": FAMILY, "Key": tree})
    named = (
        re.fullmatch(rf"/{FAMILY}/{tree}/{ROLE}/([A-Za-z0-9._-]+)", event.get("Key", "")) for event in marks.events
    )
    uniqueid = next((match[1] for match in named if match), None)
    if status != "ANSWER" or uniqueid is None:
        raise PbxConfigFailed(f"The loop call was not answered and recorded: {status or 'no status'}.")
    return uniqueid
