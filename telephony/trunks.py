"""The trunks of each PBX: which carry a number, in which order, and how number and caller ID are written."""

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import phonenumbers
from sqlalchemy import insert, select
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction, is_duplicate
from config.errors import Conflict, NotFound
from config.journal import Entry
from telephony.tables import trunks

DialFormat = Literal["e164", "digits", "national"]


@dataclass(frozen=True, slots=True)
class Route:
    """One way out: the trunk and its PJSIP endpoint, the number as this trunk wants it, and the number it may show."""

    trunk: str
    endpoint: str
    dialled: str
    caller_id: str | None


def written(e164: str, dial_format: DialFormat) -> str:
    """The validated number as a trunk dials it: `+8613800138000`, `8613800138000`, or national.

    National is what people of that country dial: `13800138000`, but `037165551234` with its trunk prefix. A short number
    (`95588`) has one form only.
    """
    if not e164.startswith("+"):
        return e164
    if dial_format == "e164":
        return e164
    if dial_format == "digits":
        return e164.removeprefix("+")
    number = phonenumbers.parse(e164)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(character for character in national if character.isdigit())


def caller_id_for(e164: str, caller_ids: Sequence[str]) -> str | None:
    """The number to show: always the same one to the same person, spread evenly over all persons."""
    if not caller_ids:
        return None
    place = int.from_bytes(hashlib.blake2b(e164.encode(), digest_size=8).digest(), "big")
    return caller_ids[place % len(caller_ids)]


def prefix_length(e164: str, prefixes: Iterable[str]) -> int | None:
    """How much of the number the trunk's best prefix names; 0: it takes all, None: not this number."""
    listed = list(prefixes)
    if not listed:
        return 0
    return max((len(prefix) for prefix in listed if e164.startswith(prefix)), default=None)


def order(rows: Iterable[Any], e164: str, chance: random.Random) -> list[Any]:
    """The trunks that carry the number: longest prefix first, then priority (low first), then weighted chance."""
    carrying = []
    for row in rows:
        length = prefix_length(e164, row.prefixes) if row.enabled else None
        if length is not None:
            # Efraimidis and Spirakis: sorting by u**(1/weight) draws without replacement in proportion to the weights.
            draw = chance.random() ** (1 / row.weight) if row.weight > 0 else -1.0
            carrying.append(((-length, row.priority, -draw, row.name), row))
    return [row for _key, row in sorted(carrying, key=lambda pair: pair[0])]


async def routes_for(
    connection: AsyncConnection, pbx: str, e164: str, chance: random.Random | None = None
) -> list[Route]:
    """Every way out for a validated E.164 number on this PBX, best first; empty when no enabled trunk carries it."""
    rows = (await connection.execute(select(trunks).where(trunks.c.pbx == pbx, trunks.c.enabled))).all()
    return [
        Route(row.name, row.endpoint, written(e164, row.dial_format), caller_id_for(e164, row.caller_ids))
        for row in order(rows, e164, chance or random.SystemRandom())
    ]


async def create(transaction: Transaction, trunk: Mapping[str, Any], *, actor: str, now: datetime) -> Row[Any]:
    """Register a trunk (the columns of `trunks` but `created_at`) and journal it. Raises Conflict for a taken name."""
    try:
        await transaction.execute(insert(trunks).values(**trunk, created_at=now))
    except IntegrityError as error:
        if is_duplicate(error):
            raise Conflict(f"there is a trunk {trunk['name']} already") from error
        raise
    transaction.journal(Entry(now, "trunk.created", actor, data=dict(trunk)))
    return await find(transaction.connection, trunk["name"])


async def find(connection: AsyncConnection, name: str) -> Row[Any]:
    """The trunk of that name. Raises NotFound."""
    row = (await connection.execute(select(trunks).where(trunks.c.name == name))).first()
    if row is None:
        raise NotFound(f"there is no trunk {name}")
    return row


async def list_trunks(connection: AsyncConnection, after: str, limit: int) -> list[Row[Any]]:
    """Trunks by name, those that follow `after`."""
    wanted = select(trunks).where(trunks.c.name > after).order_by(trunks.c.name).limit(limit)
    return list((await connection.execute(wanted)).all())


async def endpoints_of(connection: AsyncConnection, pbx: str) -> list[str]:
    """The endpoints of the enabled trunks of a PBX, preferred ones first: what emergency calls are tried on, in order."""
    statement = (
        select(trunks.c.endpoint)
        .where(trunks.c.pbx == pbx, trunks.c.enabled)
        .order_by(trunks.c.priority, trunks.c.name)
    )
    return list(dict.fromkeys(await connection.scalars(statement)))
