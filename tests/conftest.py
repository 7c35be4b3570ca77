"""Fixtures that all tests share; each lives in a module of `tests/support`."""

import logging
from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = [
    "tests.support.lab",
    "tests.support.postgres",
    "tests.support.databases",
    "tests.support.floor",
    "tests.support.carrier_world",
    "tests.support.callers",
    "tests.support.crm_floor",
    "tests.support.s3",
    "tests.support.tryton",
]


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command run inside a test silences the process's logs; the next test hears them again."""
    yield
    logging.disable(logging.NOTSET)
    structlog.reset_defaults()
