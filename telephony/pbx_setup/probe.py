"""Have the PBX itself try something, and hear what came of it: a Local channel runs an extension that leaves a word in AstDB.

AMI refuses file functions to its own sessions (asterisk.conf `live_dangerously`), not to a dialplan: so this is the way to
look from the PBX's side without a shell. Needs the AMI classes `originate` and `system`.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from config.errors import Fault
from telephony.ami import AmiLink, Answer
from telephony.pbx_setup.dialplan import FAMILY, PROBE

SETUP = "ringfence-setup"
"""A context that exists in memory only, for as long as `run_steps` takes."""
PATIENCE = 5.0
"""Seconds to wait for the word."""
_POLL = 0.05


class PbxConfigFailed(Fault):
    """The PBX did not do what setting it up takes; the detail says what, and how to mend it."""

    code = "pbx-config-failed"
    status = 502
    title = "The telephone system could not be set up"


def require(answer: Answer, action: str, needs: str) -> Answer:
    """The answer if it is a yes; otherwise PbxConfigFailed, which names the AMI class `needs` if the account lacks it."""
    if answer.ok:
        return answer
    if "permission" in answer.message.lower():
        raise PbxConfigFailed(
            f"{action}: the AMI user lacks the class {needs}; add it to read and write in manager.conf."
        )
    raise PbxConfigFailed(f"{action}: {answer.message or 'the PBX said no'}")


def new_token() -> str:
    """Names one probe, in AstDB and as a variable."""
    return secrets.token_hex(8)


async def ask(link: AmiLink, extension: str, token: str, *, timeout: float = PATIENCE) -> str | None:
    """Run `extension` of our probe context; the word it left under `token`, or None if it left none in `timeout` seconds."""
    return await _run(link, PROBE, extension, "tone", token, timeout)


async def run_steps(
    link: AmiLink,
    steps: Sequence[tuple[str, str]],
    *,
    others: Mapping[str, Sequence[tuple[str, str]]] = MappingProxyType({}),
    timeout: float = PATIENCE,
) -> str:
    """Run (application, data) one after the other on a channel of the PBX; `TOKEN` in them is where the word goes.

    The last step must leave the word: `Set(DB(ringfence/probe/TOKEN)=…)`. `others` are further extensions for as long
    as it takes, `TOKEN-<name>` to the steps; `near` is what the other end of the channel does meanwhile, else it waits.
    Raises PbxConfigFailed if the word never comes.
    """
    token = new_token()
    there = {"near": (("Wait", "30"),), **others}
    extensions = {token: [*steps, ("Hangup", "")]} | {f"{token}-{name}": [*its] for name, its in there.items()}
    try:
        for extension, its_steps in extensions.items():
            for number, (application, data) in enumerate(its_steps, 1):
                await _add(link, extension, number, application, data.replace("TOKEN", token))
        word = await _run(link, SETUP, token, f"{token}-near", token, timeout)
    finally:
        for extension in extensions:
            await link.send("DialplanExtensionRemove", {"Context": SETUP, "Extension": extension})
    if word is None:
        raise PbxConfigFailed("The PBX did not run a step that was given to it; its log says why.")
    return word


async def _add(link: AmiLink, extension: str, priority: int, application: str, data: str) -> None:
    step = {
        "Context": SETUP,
        "Extension": extension,
        "Priority": str(priority),
        "Application": application,
        "ApplicationData": data,
        "Replace": "yes",
    }
    require(await link.send("DialplanExtensionAdd", step), "DialplanExtensionAdd", "system")


async def _run(link: AmiLink, context: str, extension: str, other: str, token: str, timeout: float) -> str | None:
    """A Local channel with `extension` on its far side and `other` on the near one, until the word is there."""
    answer = await link.originate(
        channel_id=f"probe-{token}",
        endpoint=f"Local/{extension}@{context}/n",
        context=context,
        extension=other,
        variables={"__RINGFENCE_TOKEN": token},
        timeout_s=timeout,
    )
    require(answer, "Originate", "originate")
    key = {"Family": FAMILY, "Key": f"probe/{token}"}
    deadline = asyncio.get_running_loop().time() + timeout
    while asyncio.get_running_loop().time() < deadline:
        found = await link.send("DBGet", key)
        if found.ok and found.events:
            await link.send("DBDel", key)
            return found.events[0].get("Val", "")
        if not found.ok and "permission" in found.message.lower():
            require(found, "DBGet", "system")
        await asyncio.sleep(_POLL)
    await link.send("Hangup", {"Channel": f"probe-{token}"})
    return None
