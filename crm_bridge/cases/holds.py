"""Why a case's recordings must stay, as the desk knows it: read inside the deletion's transaction, under the case's lock."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_bridge.complaints.reach import reaches
from crm_bridge.tables import cases, complaints


async def held_by_case(connection: AsyncConnection, case_id: str) -> str | None:
    """An open complaint of its person, or a dispute, as a sentence; None when there is neither. Both hold by themselves.

    A complaint holds what was recorded on every case in which the same person owes, also on cases that come in later.
    """
    complaint = select(complaints.c.id).where(reaches(case_id), complaints.c.state == "open")
    if found := await connection.scalar(complaint.limit(1)):
        return f"complaint {found} is open"
    case = (
        await connection.execute(select(cases.c.dispute, cases.c.fraud_statement).where(cases.c.id == case_id))
    ).first()
    if case is not None and (case.dispute or case.fraud_statement):
        return "the debt is in dispute"
    return None
