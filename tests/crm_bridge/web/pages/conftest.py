"""A browser for all tests of the pages, and for each test a desk of its own and somebody sitting at it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support import browser as browsers
from tests.support.desk_api import canned_desk
from tests.support.sitting import Sitting


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with browsers.chromium() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def sitting(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Sitting]:
    """Somebody new at a new desk; parametrise indirectly with {"locale": …, "dark": …}."""
    options = getattr(request, "param", {})
    async with canned_desk() as (desk, origin), browsers.reader(chromium, origin, **options) as page:
        yield Sitting(page, desk, origin)
