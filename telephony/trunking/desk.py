"""Trunks as an admin changes them: the registry and, where the objects on the PBX are ours, the PBX, both or neither.

A change is tried on the PBX first and written down once it works there; what fails is brought back, told and journalled. The
PBX's file is a function of the registry, so whatever a crash leaves of it is written anew (`recover`).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydantic import SecretStr
from sqlalchemy.engine import Row

from config import clock
from config.database import Database
from config.errors import Conflict, Fault, Invalid
from config.journal import Entry
from config.sealing import Seal
from telephony.ami import AmiLink, LinkState, PbxUnavailable
from telephony.pbx import Pbx
from telephony.pbx_setup.plan import Change
from telephony.trunking import applying, claims, records
from telephony.trunking import trunks as registry
from telephony.trunking.applying import HalfDone
from telephony.trunking.trying import Tried, try_out
from telephony.trunking.wanted import LONGEST_NAME, Managed, Setup, endpoint_name

log = structlog.get_logger(__name__)

PURPOSE = "trunks"
"""Of the key that seals their secrets."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an admin wants of a trunk: registry `columns`, and the `setup` with its `secret` where the objects are ours."""

    name: str
    columns: Mapping[str, Any]
    setup: Setup | None = None
    secret: SecretStr | None = None

    def managed(self) -> Managed | None:
        """What the PBX should have of it."""
        if self.setup is None:
            return None
        return Managed(self.name, self.setup, self.secret.get_secret_value() if self.secret else None)


@dataclass(frozen=True)
class TrunkDesk:
    """Changes trunks on the PBXs of the settings. `process` names this service process among several."""

    database: Database
    pbxs: Mapping[str, Pbx]
    seal: Seal
    process: str = ""

    async def create(self, asked: Asked, pbx: str, reason: str | None, *, actor: str) -> tuple[Row[Any], Tried | None]:
        """A new trunk, and what was seen of it on the PBX if its objects are ours. Raises Conflict, and as applying does."""
        trunk, columns = asked.managed(), self._columns(asked, pbx)
        async with self.database.write() as transaction:
            await registry.require_free(transaction, asked.name, pbx, columns["endpoint"])
            if trunk is None:
                return await self._register(transaction, columns, actor), None
        async with self._changing(pbx, asked.name, reason, actor) as (link, others):
            tried = await applying.apply(link, [*others, trunk], changed=trunk)
            async with self._or_back(link, others, trunk.endpoint), self.database.write() as transaction:
                row = await self._register(transaction, columns, actor)
                await claims.settle(transaction, pbx)
        return row, tried

    async def change(
        self, asked: Asked, columns: Mapping[str, Any], reason: str | None, *, actor: str
    ) -> tuple[Row[Any], Tried | None]:
        """Change a trunk; the PBX only when its objects there change. Raises NotFound, Conflict, and as applying does."""
        async with self.database.read() as connection:
            row = await registry.find(connection, asked.name)
            was = records.managed(row, self.seal)
        trunk = asked.managed()
        written = {**columns, **self._setup_columns(asked, row)}
        if trunk is None or trunk == was:
            async with self.database.write() as transaction:
                return await records.change(
                    transaction, asked.name, written, reason, actor=actor, now=clock.now()
                ), None
        async with self._changing(row.pbx, asked.name, reason, actor) as (link, known):
            others = [one for one in known if one.name != asked.name]
            tried = await applying.apply(link, [*others, trunk], changed=trunk)
            async with self._or_back(link, known, None), self.database.write() as transaction:
                row = await records.change(transaction, asked.name, written, reason, actor=actor, now=clock.now())
                await claims.settle(transaction, row.pbx)
        return row, tried

    async def remove(self, name: str, reason: str | None, *, actor: str) -> None:
        """Take a trunk away, from the PBX too if its objects are ours. Raises NotFound, Conflict while calls are on it."""
        async with self.database.write() as transaction:
            row = await registry.find(transaction.connection, name)
            await records.require_idle(transaction, row)
            if row.setup is None:
                return await records.remove(transaction, row, reason, actor=actor, now=clock.now())
        async with self._changing(row.pbx, name, reason, actor) as (link, known):
            async with self.database.write() as transaction:
                await records.require_idle(transaction, row)
                was = records.state_of(row)
                row = await records.switch(transaction, name, "disabled", reason, actor=actor, now=clock.now())
            try:
                await applying.apply(link, [one for one in known if one.name != name], removed=row.endpoint)
            except Fault:
                await self.switch(name, was, "it could not be removed", actor=actor)
                raise
            async with self._or_back(link, known, None), self.database.write() as transaction:
                await records.remove(transaction, row, reason, actor=actor, now=clock.now())
                await claims.settle(transaction, row.pbx)

    async def switch(self, name: str, to: str, reason: str | None, *, actor: str) -> Row[Any]:
        """active, draining or disabled. Raises NotFound, Conflict."""
        async with self.database.write() as transaction:
            return await records.switch(transaction, name, to, reason, actor=actor, now=clock.now())

    async def plan(self, asked: Asked, pbx: str) -> Sequence[Change]:
        """What setting this trunk up so would change on the PBX, secrets hidden. Writes nothing."""
        trunk = asked.managed()
        if trunk is None:
            return ()
        async with self.database.read() as connection:
            known = await records.managed_on(connection, pbx, self.seal)
        return await applying.plan(await self._link(pbx), [*(one for one in known if one.name != asked.name), trunk])

    async def test(self, name: str, *, actor: str) -> Tried:
        """Ask the carrier now, and log in anew; journalled. Raises NotFound, PbxUnavailable."""
        async with self.database.read() as connection:
            row = await registry.find(connection, name)
        qualifies = row.setup is None or Setup.model_validate(row.setup).qualify_seconds > 0
        tried = await try_out(await self._link(row.pbx), row.endpoint, qualifies=qualifies)
        async with self.database.write() as transaction:
            data = {"name": name, "pbx": row.pbx, "seen": tried.document()}
            transaction.journal(Entry(clock.now(), "trunk.tested", actor, data=data))
        return tried

    async def recover(self, pbx: str, now: datetime) -> None:
        """Where a change came to no end, have the PBX hold what the registry says. Raises nothing that lasts."""
        link = self.pbxs[pbx].link
        if link.state is not LinkState.UP or not await claims.is_left_over(self.database, pbx, self.process, now):
            return
        async with self.database.read() as connection:
            known = await records.managed_on(connection, pbx, self.seal)
        try:
            await applying.apply(link, known)
        except Fault as fault:
            log.warning("trunks.not_recovered", pbx=pbx, detail=fault.detail)
            return
        async with self.database.write() as transaction:
            await claims.settle(transaction, pbx)
            transaction.journal(Entry(now, "trunk.recovered", data={"pbx": pbx, "trunks": [one.name for one in known]}))

    def _columns(self, asked: Asked, pbx: str) -> dict[str, Any]:
        if asked.setup is not None and len(asked.name) > LONGEST_NAME:
            message = f"must be at most {LONGEST_NAME} characters for a trunk that is set up on the PBX"
            raise Invalid(f"name: {message}", [{"field": "name", "message": message}])
        return {**asked.columns, "name": asked.name, "pbx": pbx, **self._setup_columns(asked)}

    def _setup_columns(self, asked: Asked, row: Row[Any] | None = None) -> dict[str, Any]:
        """A secret that stays the same keeps its sealed form, so that only a new one counts as a change."""
        if asked.setup is None:
            return {}
        secret = asked.secret.get_secret_value() if asked.secret else None
        sealed = row.sealed_secret if row is not None else None
        if secret is None or sealed is None or self.seal.open(sealed, asked.name) != secret:
            sealed = self.seal.close(secret, asked.name) if secret is not None else None
        setup = asked.setup.model_dump(by_alias=True, mode="json")
        return {"setup": setup, "sealed_secret": sealed, "endpoint": endpoint_name(asked.name)}

    async def _register(self, transaction: Any, columns: Mapping[str, Any], actor: str) -> Row[Any]:
        return await registry.create(transaction, columns, actor=actor, now=clock.now())

    async def _link(self, pbx: str) -> AmiLink:
        if pbx not in self.pbxs:
            raise PbxUnavailable(f"PBX {pbx} is not one that this process is connected to")
        await self.pbxs[pbx].link.connected()
        return self.pbxs[pbx].link

    @asynccontextmanager
    async def _changing(
        self, pbx: str, name: str, reason: str | None, actor: str
    ) -> AsyncIterator[tuple[AmiLink, list[Managed]]]:
        """The PBX's file is this change's alone; a change that failed is journalled, one that came to no end is left to
        `recover`."""
        link = await self._link(pbx)
        async with self.database.write() as transaction:
            await claims.claim(transaction, pbx, self.process, clock.now())
            known = await records.managed_on(transaction.connection, pbx, self.seal)
        try:
            yield link, known
        except BaseException as failed:
            detail = failed.detail if isinstance(failed, Fault) else type(failed).__name__
            async with self.database.write() as transaction:
                brought_back = isinstance(failed, Fault) and not isinstance(failed, HalfDone)
                await (claims.settle if brought_back else claims.abandon)(transaction, pbx)
                data = {"name": name, "pbx": pbx, "failed": detail, "brought_back": brought_back, "reason": reason}
                transaction.journal(Entry(clock.now(), "trunk.change_failed", actor, data=data))
            raise

    @asynccontextmanager
    async def _or_back(self, link: AmiLink, known: Sequence[Managed], removed: str | None) -> AsyncIterator[None]:
        """What the registry does not take after all (the name was given away meanwhile) leaves the PBX again."""
        try:
            yield
        except Conflict:
            await applying.apply(link, known, removed=removed)
            raise
