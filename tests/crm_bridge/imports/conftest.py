"""Fixtures of the imports' tests."""

import pytest

from tests.support.api import Service, service

__all__ = ["service"]


@pytest.fixture
async def desk(service: Service) -> Service:
    """Those who import, and those who may not."""
    await service.add("crm", "crm")
    await service.add("li", "collector")
    await service.add("chen", "supervisor")
    await service.add("root", "admin")
    await service.add("other", "supervisor", clients=["elsewhere"])
    return service
