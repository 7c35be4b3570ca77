"""What the page offers when a call is to be handed on: colleagues and groups with who is free, and the case's own numbers."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.errors import Fault, NotFound
from crm_bridge.cases import cases
from crm_bridge.cases import view as case_view
from crm_bridge.floor.transfer_targets import CALLERS
from crm_bridge.people import groups
from crm_bridge.people.users import User
from crm_bridge.tables import users
from telephony.dialling.decisions import Decider
from telephony.pbx import Pbx

MOST = 200


async def choices(
    connection: AsyncConnection, decider: Decider, call: Row[Any], pbx: Pbx, first_pbx: str, user: User, now: datetime
) -> dict[str, Any]:
    """`{colleagues: [{name, extension, free}], groups: [{name, members, free}], numbers: [{party_id, name, relation, number,
    allowed, rule, reason, reason_zh, retry_at}]}`; those who are free come first."""
    people = await _colleagues(connection, call, pbx, first_pbx)
    free = {one["name"] for one in people if one["free"]}
    listed = await groups.listing(connection, "", MOST)
    known = {one["name"] for one in people}
    offered = [
        {"name": row.name, "members": len(known & {*row.members}), "free": len(free & {*row.members})} for row in listed
    ]
    return {
        "colleagues": sorted(people, key=lambda one: (not one["free"], one["name"])),
        "groups": [group for group in offered if group["members"]],
        "numbers": await _numbers(connection, decider, call, user, now),
    }


async def _colleagues(connection: AsyncConnection, call: Row[Any], pbx: Pbx, first_pbx: str) -> list[dict[str, Any]]:
    statement = (
        select(users.c.name, users.c.extension, users.c.pbx, users.c.clients)
        .where(users.c.active, users.c.extension.is_not(None), users.c.role.in_(CALLERS))
        .order_by(users.c.name)
        .limit(MOST)
    )
    rows = [
        row
        for row in await connection.execute(statement)
        if (row.pbx or first_pbx) == call.pbx
        and row.name != call.current_agent
        and (call.client is None or not row.clients or call.client in row.clients)
    ]
    return [{"name": row.name, "extension": row.extension, "free": _is_free(pbx, row.extension)} for row in rows]


def _is_free(pbx: Pbx, extension: str) -> bool:
    try:
        pbx.phones.require_free(extension)
    except Fault:
        return False
    return True


async def _numbers(
    connection: AsyncConnection, decider: Decider, call: Row[Any], user: User, now: datetime
) -> list[dict[str, Any]]:
    """Every number of the call's case but the one on the line, each with whether it may be called now."""
    if call.case_id is None:
        return []
    try:
        row = await cases.find(connection, call.case_id, user)
    except NotFound:
        return []  # a call taken over may be on a case of another team
    case = await case_view.view(connection, row, user=user, decider=decider, now=now)
    found = []
    for party in case["parties"]:
        for number in party["numbers"]:
            if number["e164"] != call.number:
                said = {name: number.get(name) for name in ("rule", "reason", "reason_zh", "retry_at")}
                whose = {"party_id": party["id"], "name": party["name"], "relation": party["relation"]}
                found.append({**whose, "number": number["e164"], "allowed": number["allowed_now"], **said})
    return found
