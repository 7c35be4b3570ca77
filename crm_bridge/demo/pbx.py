"""The lab's PBX as its admin left it: Debian's stock configuration, ten-odd phones, two carriers and one user of AMI and ARI."""

import secrets
from pathlib import Path

from crm_bridge.demo.behaviours import PHONES, UNREGISTERED_PHONE
from crm_bridge.demo.instance import AsteriskInstance
from crm_bridge.demo.templates import rendered

AMI_USERNAME = "ringfence"
AMI_CLASSES = ("system", "call", "command", "config", "reporting", "originate", "dialplan", "agent", "user", "cdr")
"""Read and write. `log`, `verbose`, `dtmf`, `security` and the rest stay off."""
EXTENSIONS = tuple(sorted([*PHONES, UNREGISTERED_PHONE]))
CARRIERS: dict[str, str] = {"carrier-a": "127.0.0.2", "carrier-b": "127.0.0.3"}
"""The PBX's trunk endpoints, and the address at which the world answers as each of them."""


def stock_pbx(root: Path, *, carrier_port: int, phone_secret: str) -> AsteriskInstance:
    """A PBX, not started, with nothing of ours in it beyond a user of AMI and ARI: `phones` and `from-carrier` are its contexts.

    `carrier_port` is the world's SIP port; `phone_secret` the password of every phone.
    """
    pbx = AsteriskInstance(root, "pbx", ami_username=AMI_USERNAME, ami_secret=secrets.token_urlsafe(18))
    pbx.append(
        "pjsip.conf",
        rendered(
            "pbx-pjsip.conf",
            sip_port=pbx.sip_port,
            extensions=EXTENSIONS,
            phone_secret=phone_secret,
            carriers=CARRIERS,
            carrier_port=carrier_port,
        ),
    )
    pbx.append("extensions.conf", rendered("pbx-extensions.conf"))
    pbx.write(
        "manager.d/ringfence.conf",
        rendered("pbx-manager.conf", username=pbx.ami_username, secret=pbx.ami_secret, classes=",".join(AMI_CLASSES)),
    )
    pbx.write("http.conf", f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = {pbx.http_port}\n")
    pbx.write("ari.conf", rendered("pbx-ari.conf", username=pbx.ami_username, secret=pbx.ami_secret))
    return pbx
