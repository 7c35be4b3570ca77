"""What `pbx check` says of inbound calls, where an admin has set up routes: which trunks' calls do not reach us."""

from collections.abc import Sequence

from sqlalchemy import select

from config.database import Database
from crm_bridge.inbound.tables import inbound_routes
from telephony.ami import AmiLink
from telephony.pbx_setup.dialplan import INBOUND
from telephony.pbx_setup.findings import Finding, Severity
from telephony.pbx_setup.moves import trunk_contexts


async def inbound_elsewhere(database: Database, link: AmiLink, trunks: Sequence[str]) -> list[Finding]:
    """A warning for each trunk of ours whose incoming calls go elsewhere; nothing while there are no routes."""
    async with database.read() as connection:
        routed = await connection.scalar(select(inbound_routes.c.did).where(inbound_routes.c.enabled).limit(1))
    if routed is None:
        return []
    contexts = await trunk_contexts(link)
    return [
        Finding(
            "inbound-elsewhere",
            Severity.WARNING,
            f"PJSIP endpoint {trunk}",
            f"What comes in over this trunk goes to the context {contexts[trunk]}: no route of ours, no recording.",
            f"Run `ringfence pbx apply {link.account.name} --inbound {trunk}`, or leave it if others answer there.",
        )
        for trunk in trunks
        if contexts.get(trunk, INBOUND) != INBOUND
    ]
