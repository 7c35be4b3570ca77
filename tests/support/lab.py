"""One lab for the whole test run: building it takes two seconds, and no test changes it for good."""

import asyncio
from collections.abc import Iterator

import pytest

from crm_bridge.demo.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A PBX with registered phones, and the world around it. Not bound to a loop; started from the main thread."""
    loop = asyncio.new_event_loop()
    try:
        lab = Lab(print)
        loop.run_until_complete(lab.start())
        try:
            yield lab
        finally:
            loop.run_until_complete(lab.stop())
    finally:
        loop.close()
