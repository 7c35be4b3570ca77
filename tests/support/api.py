"""The `service` fixture: the HTTP API over a real socket on a real database, and users to ask it as."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.engine import Row

from config import clock
from config.database import Database
from config.journal import journal
from config.sealing import Seal
from config.settings import Keys, Pbx, Policy, Settings
from crm_bridge.cases.facts import case_facts
from crm_bridge.connectors.services import connectors_of
from crm_bridge.inbound.desk import InboundDesk
from crm_bridge.outbox.services import webhooks_of
from crm_bridge.people import credentials, users
from crm_bridge.people.users import NewUser
from crm_bridge.web import dispatch, keys, middleware
from crm_bridge.web.resources import DESK
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Gathering
from telephony.trunking.desk import PURPOSE, TrunkDesk

PASSWORD = "correct horse battery"


class Service:
    """What a test asks: `await service.get("/v1/cases", user="li")`; `user` must have been made with `add`."""

    def __init__(self, database: Database, client: TestClient[web.Request, web.Application]) -> None:
        self.database = database
        self.client = client
        self.tokens: dict[str, str] = {}

    async def add(self, name: str, role: str, **fields: Any) -> str:
        """A user with a token; returns the name."""
        new, now = NewUser.model_validate({"name": name, "role": role, **fields}), clock.now()
        async with self.database.write() as transaction:
            await users.add_user(transaction, new, actor="tests", now=now)
            _, self.tokens[name] = await credentials.create_token(
                transaction, name, label="tests", expires_at=None, actor="tests", now=now
            )
        return name

    async def ask(self, method: str, path: str, user: str | None = None, **options: Any) -> ClientResponse:
        """Send a request, as `user` if one is named."""
        headers = dict(options.pop("headers", {}))
        if user is not None:
            headers["Authorization"] = f"Bearer {self.tokens[user]}"
        return await self.client.request(method, path, headers=headers, **options)

    async def journal(self, *kinds: str) -> list[Row[Any]]:
        """The journal's entries of these kinds, oldest first."""
        wanted = select(journal).where(journal.c.kind.in_(kinds)).order_by(journal.c.id)
        async with self.database.read() as connection:
            return list((await connection.execute(wanted)).all())

    async def get(self, path: str, user: str, status: int = 200) -> Any:
        """GET; the JSON of an answer that must have `status`."""
        return await self._json("GET", path, user, status)

    async def post(self, path: str, user: str, body: Any, status: int = 201) -> Any:
        """POST; the JSON of an answer that must have `status`."""
        return await self._json("POST", path, user, status, json=body)

    async def put(self, path: str, user: str, body: Any, status: int = 200) -> Any:
        """PUT; the JSON of an answer that must have `status`."""
        return await self._json("PUT", path, user, status, json=body)

    async def patch(self, path: str, user: str, body: Any, status: int = 200) -> Any:
        """PATCH; the JSON of an answer that must have `status`."""
        return await self._json("PATCH", path, user, status, json=body)

    async def _json(self, method: str, path: str, user: str, status: int, **options: Any) -> Any:
        response = await self.ask(method, path, user, **options)
        text = await response.text()
        assert response.status == status, text
        return await response.json(content_type=None) if text else None


@pytest.fixture
async def service(database: Database, tmp_path: Path) -> AsyncIterator[Service]:
    """The API on either database."""
    app = web.Application()
    pbx = Pbx(name="main", username="ringfence", secret=SecretStr("secret"))
    own = Keys(master=tmp_path / "master.key")
    app[keys.DATABASE], app[keys.SETTINGS] = database, Settings(pbx=[pbx], keys=own)
    app[keys.DECIDER] = Decider(Gathering(case_facts, Policy(), recorder_healthy=lambda: True))
    app[keys.UPKEEPS] = {}
    app[keys.TRUNK_DESK] = TrunkDesk(database, {}, Seal(Keys(master=tmp_path / "master.key"), PURPOSE))
    app[keys.INBOUND_DESK] = InboundDesk("CN", "main", lambda _pbx, _phone: "NOT_INUSE")
    app[keys.WEBHOOKS] = webhooks_of(app[keys.SETTINGS], database)
    app.on_cleanup.append(lambda _: app[keys.WEBHOOKS].sender.close())
    app[keys.CONNECTORS] = connectors_of(app[keys.SETTINGS], database)
    app.on_cleanup.append(lambda _: app[keys.CONNECTORS].asker.close())
    middleware.install(app)
    dispatch.register(app, DESK)
    async with TestClient(TestServer(app)) as client:
        yield Service(database, client)
