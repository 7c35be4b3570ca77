"""Builders of what the desk keeps: a case document as a CRM sends it, and the row of a finished call."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from config.database import Database
from config.identifiers import new_id
from telephony.tables import calls, contacts

MOBILE = "+8613800138000"
LANDLINE = "+8637165551234"


def party(identifier: str = "p1", *numbers: str, **fields: Any) -> dict[str, Any]:
    """A debtor in Shanghai with these numbers, or with `MOBILE`."""
    return {
        "id": identifier,
        "relation": "debtor",
        "name": "王小明",
        "locations": [{"source": "address", "zone": "Asia/Shanghai", "region": "CN"}],
        "numbers": [{"e164": number} for number in numbers or (MOBILE,)],
        **fields,
    }


def case(**fields: Any) -> dict[str, Any]:
    """A case of client `bank` with one debtor."""
    return {"client": "bank", "debts": ["d1"], "account": "a1", "parties": [party()], **fields}


async def finished_call(database: Database, at: datetime, **columns: Any) -> str:
    """A call that ended, with its entry in the contact history; `connected` says whether it was answered."""
    call_id, connected = new_id(at), columns.pop("connected", True)
    answered = at + timedelta(seconds=10) if connected else None
    row = {
        "id": call_id, "direction": "outbound", "state": "ended", "agent": "li", "role": "collector", "extension": "1001",
        "client": "bank", "case_id": "c1", "party_id": "p1", "number": MOBILE, "purpose": "collect", "pbx": "main",
        "uniqueid": call_id, "decision_id": new_id(at), "created_at": at, "connected_at": answered,
        "ended_at": at + timedelta(seconds=70), "violations": [], "outcome": "conversation" if connected else "no_answer",
        "end_reason": "completed" if connected else "no_answer", **columns,
    }  # fmt: skip
    row.setdefault("current_agent", row["agent"])
    contact = {
        "id": call_id, "at": at, "party_id": row["party_id"], "number": row["number"], "debts": [], "direction": "outbound",
        "channel": "call", "by": "us", "outcome": row["outcome"], "consented": False,
    }  # fmt: skip
    async with database.write() as transaction:
        await transaction.execute(insert(calls).values(**row))
        await transaction.execute(insert(contacts).values(**contact))
    return call_id
