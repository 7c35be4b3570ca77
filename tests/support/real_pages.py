"""The pages on the real API and an SQLite database, for browser tests that need no telephone."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Page
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from config import clock
from config.database import Database
from config.schema import metadata
from config.settings import Keys, Outbox, Pbx, Policy, Settings
from crm_bridge.cases.facts import case_facts
from crm_bridge.connectors.services import connectors_of
from crm_bridge.outbox.services import webhooks_of
from crm_bridge.people.users import NewUser, Role, add_user
from crm_bridge.web import calls, dispatch, keys, middleware, pages
from crm_bridge.web.resources import DESK
from telephony.dialling.decisions import Decider
from telephony.dialling.gathering import Gathering
from tests.support import browser
from tests.support.api import PASSWORD, Service
from tests.support.databases import TABLE_MODULES

assert TABLE_MODULES


@asynccontextmanager
async def real_pages(folder: Path, people: Mapping[str, tuple[Role, str]]) -> AsyncIterator[tuple[Service, str]]:
    """The service and its origin; `people` may log in with `PASSWORD`: {name: (role, language)}."""
    url = f"sqlite+aiosqlite:///{folder / 'ringfence.db'}"
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    database, app = Database(url), web.Application()
    app[keys.DATABASE] = database
    pbx, own = Pbx(name="main", username="ringfence", secret=SecretStr("secret")), Keys(master=folder / "master.key")
    here = Outbox(allow_networks=["127.0.0.0/8"])
    app[keys.SETTINGS] = Settings(pbx=[pbx], keys=own, outbox=here)
    app[keys.DECIDER] = Decider(Gathering(case_facts, Policy(), recorder_healthy=lambda: True))
    app[keys.UPKEEPS] = {}
    app[keys.WEBHOOKS] = webhooks_of(app[keys.SETTINGS], database)
    app.on_cleanup.append(lambda _: app[keys.WEBHOOKS].sender.close())
    app[keys.CONNECTORS] = connectors_of(app[keys.SETTINGS], database)
    app.on_cleanup.append(lambda _: app[keys.CONNECTORS].asker.close())
    middleware.install(app)
    dispatch.register(app, (*DESK, calls.api))
    pages.setup_pages(app)
    async with database.write() as transaction:
        for index, (name, (role, language)) in enumerate(people.items()):
            phone = {"extension": str(1001 + index), "pbx": "main"} if role == "collector" else {}
            given = {"name": name, "role": role, "password": PASSWORD, "language": language, **phone}
            new = NewUser.model_validate(given)
            await add_user(transaction, new, actor="tests", now=clock.now())
    async with TestClient(TestServer(app)) as client:
        yield Service(database, client), f"http://127.0.0.1:{client.port}"
    await database.close()


async def log_in(page: Page, name: str, address: str) -> Page:
    """Log in as `name`, and go on to a page."""
    await page.goto(f"/login?next={address}")
    await browser.log_in(page, name, PASSWORD)
    return page
