"""Somebody leaves: nobody logs in under the name again, and all that is in the books under it stays."""

from datetime import datetime

from sqlalchemy import and_, select, update

from config.database import Transaction
from config.journal import Entry
from crm_bridge.inbound.tables import agent_groups
from crm_bridge.people import users
from crm_bridge.tables import credentials


async def let_go(transaction: Transaction, name: str, *, actor: str, now: datetime) -> None:
    """Switch the user off, end sessions and tokens, free the phone, leave the groups. Raises NotFound, Conflict: last admin."""
    change = users.UserChange(active=False, extension=None)
    await users.change_user(transaction, name, change, actor=actor, now=now)
    mine = and_(credentials.c.user == name, credentials.c.revoked_at.is_(None))
    ended = await transaction.execute(update(credentials).where(mine).values(revoked_at=now))
    left = await _leave_groups(transaction, name, actor, now)
    data = {"user": name, "credentials_ended": ended.rowcount, "groups_left": left}
    transaction.journal(Entry(now, "user.let_go", actor, data=data))


async def _leave_groups(transaction: Transaction, name: str, actor: str, now: datetime) -> list[str]:
    left = []
    for group in await transaction.all(select(agent_groups).order_by(agent_groups.c.name)):
        if name not in group.members:
            continue
        members = [member for member in group.members if member != name]
        values = {"members": members, "updated_at": now, "updated_by": actor}
        await transaction.execute(update(agent_groups).where(agent_groups.c.name == group.name).values(**values))
        left.append(str(group.name))
    return left
