"""When a living leg was answered, as it says itself: for answers that we heard of late, or not at all."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update

from config.database import Transaction
from telephony.ami import AmiLink
from telephony.calls import call_records
from telephony.calls.markers import read_moment
from telephony.tables import legs

LATE = timedelta(seconds=0.5)
"""An answer that we heard of sooner than this needs no correction while the call goes on; its end corrects it anyway."""
ANSWERED, STARTED = "RINGFENCE_ANSWERED", "RINGFENCE_STARTED"


@dataclass(frozen=True, slots=True)
class HeardAnswer:
    """An outside party's answer, and when we heard of it."""

    call_id: str
    uniqueid: str
    channel: str
    heard_at: datetime


async def ask_when_answered(link: AmiLink, channels: Iterable[tuple[str, str, str]]) -> dict[str, datetime]:
    """By Uniqueid, what these channels (Uniqueid, name, the variable that tells) say; one that cannot say is left out."""
    answers = {}
    for uniqueid, channel, variable in channels:
        answer = await link.send("Getvar", {"Channel": channel, "Variable": variable})
        with suppress(ValueError):
            answers[uniqueid] = read_moment(answer.fields.get("Value", ""))
    return answers


async def late_answers(link: AmiLink, heard: Sequence[HeardAnswer]) -> list[tuple[HeardAnswer, datetime]]:
    """Those that we heard of late, each with its own moment: the service, its database or the link stood still meanwhile."""
    told = await ask_when_answered(link, ((answer.uniqueid, answer.channel, ANSWERED) for answer in heard))
    return [(answer, told[answer.uniqueid]) for answer in heard
            if answer.uniqueid in told and answer.heard_at - told[answer.uniqueid] > LATE]  # fmt: skip


async def correct_answers(transaction: Transaction, pbx: str, late: Iterable[tuple[HeardAnswer, datetime]]) -> None:
    """Give the leg, and the call that it connected, the true moment."""
    for heard, at in late:
        mine = (legs.c.pbx == pbx) & (legs.c.uniqueid == heard.uniqueid)
        await transaction.execute(update(legs).where(mine).values(answered_at=at))
        call = await call_records.find(transaction.connection, heard.call_id)
        if call is not None and call.connected_at == heard.heard_at:
            await call_records.note(transaction, heard.call_id, heard.heard_at, connected_at=at)
