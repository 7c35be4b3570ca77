"""The registry of trunks: which there are on each PBX, what each carries, and how a number is written there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import phonenumbers
from sqlalchemy import func, insert, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from config.database import Transaction
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


def prefix_length(e164: str, prefixes: Iterable[str]) -> int | None:
    """How much of the number the trunk's best prefix names; 0: it takes all, None: not this number."""
    listed = list(prefixes)
    if not listed:
        return 0
    return max((len(prefix) for prefix in listed if e164.startswith(prefix)), default=None)


async def create(transaction: Transaction, trunk: Mapping[str, Any], *, actor: str, now: datetime) -> Row[Any]:
    """Register a trunk (the columns of `trunks` but those about its creation) and journal it, without its sealed secret.

    Raises Conflict for a name that differs from a known one at most by case, or an endpoint that is another trunk's.
    """
    await require_free(transaction, trunk["name"], trunk["pbx"], trunk["endpoint"])
    written_down = {"created_at": now, "updated_at": now, "updated_by": actor}
    await transaction.execute(insert(trunks).values(**trunk, **written_down))
    transaction.journal(Entry(now, "trunk.created", actor, data=shown(trunk)))
    return await find(transaction.connection, trunk["name"])


async def require_free(transaction: Transaction, name: str, pbx: str, endpoint: str, *, but: str | None = None) -> None:
    """Raise Conflict if a trunk other than `but` has the name (Asterisk does not tell case apart) or the endpoint."""
    await transaction.lock(["trunks"])
    same_name = func.lower(trunks.c.name) == name.lower()
    same_endpoint = (trunks.c.pbx == pbx) & (func.lower(trunks.c.endpoint) == endpoint.lower())
    for taken in await transaction.all(select(trunks.c.name, trunks.c.pbx).where(same_name | same_endpoint)):
        if taken.name == but:
            continue
        if taken.name.lower() == name.lower():
            raise Conflict(f"there is a trunk {taken.name} already", field="name")
        raise Conflict(f"the endpoint {endpoint} of PBX {pbx} is that of the trunk {taken.name}", field="endpoint")


def shown(columns: Mapping[str, Any]) -> dict[str, Any]:
    """What may be shown of a trunk's columns, in the journal as anywhere: never the secret, sealed or not."""
    hidden = ("sealed_secret", "turn", "created_at", "updated_at", "updated_by")
    return {key: value for key, value in columns.items() if key not in hidden}


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
    """The endpoints by which emergency calls are tried, in order: the enabled trunks of a PBX, then those being drained."""
    statement = (
        select(trunks.c.endpoint)
        .where(trunks.c.pbx == pbx, trunks.c.enabled | trunks.c.draining_since.is_not(None))
        .order_by(trunks.c.enabled.desc(), trunks.c.priority, trunks.c.name)
    )
    return list(dict.fromkeys(await connection.scalars(statement)))
