"""What the tests of connectors share."""

from collections.abc import AsyncIterator

import pytest

from crm_bridge.connectors.asking import Asker
from tests.support.connecting import HERE


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    """The connectors' HTTP client, which may reach this machine."""
    opened = Asker(HERE)
    yield opened
    await opened.close()
