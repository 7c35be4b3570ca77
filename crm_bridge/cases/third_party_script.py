"""What to say to somebody who is not the debtor (S11, S13, S14, S16): a text a client in both languages, or the default."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
from config.journal import Entry
from crm_bridge.people import scope
from crm_bridge.people.desk_tables import third_party_scripts
from crm_bridge.people.users import User

DEFAULT_ZH = """您好，我是{agent}。请问{name}在吗？
如果本人不在：麻烦您转告{name}方便时给我回电，谢谢。
如果号码不是{name}的：抱歉打扰，我们会更正记录，不再拨打。
如果对方不愿再接到来电：好的，我们不会再打给您。"""
DEFAULT_EN = """Hello, my name is {agent}. May I speak to {name}?
If they are not there: please ask {name} to call me back when it suits them. Thank you.
If the number is not theirs: sorry to have disturbed you; we will correct our records and not call it again.
If they do not want our calls: of course, we will not call you again."""
"""Who calls is said, why is not: neither the debt nor the client's name, which would tell of one (15 U.S.C. 1692b)."""


class ScriptIn(BaseModel):
    """The words for a client; `{agent}` and `{name}` stand for who calls and whom they ask for."""

    model_config = ConfigDict(extra="forbid")

    zh: str = Field(min_length=1, max_length=4000)
    en: str = Field(min_length=1, max_length=4000)


async def script_of(connection: AsyncConnection, client: str | None) -> dict[str, Any]:
    """The client's text, or the default: {zh, en, own, updated_at, updated_by}."""
    wanted = select(third_party_scripts).where(third_party_scripts.c.client == client)
    row = (await connection.execute(wanted)).first()
    if row is None:
        return {"zh": DEFAULT_ZH, "en": DEFAULT_EN, "own": False, "updated_at": None, "updated_by": None}
    return {**row._mapping, "own": True}


async def put(transaction: Transaction, client: str, given: ScriptIn, *, user: User, now: datetime) -> None:
    """Set a client's text. Raises Forbidden."""
    scope.require_client(user, client)
    values = {"zh": given.zh, "en": given.en, "updated_at": now, "updated_by": user.name}
    if not await transaction.insert_once(third_party_scripts, client=client, **values):
        changed = update(third_party_scripts).where(third_party_scripts.c.client == client)
        await transaction.execute(changed.values(**values))
    transaction.journal(Entry(now, "script.changed", user.name, client, data={"script": "third-party"}))
