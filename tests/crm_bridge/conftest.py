"""Fixtures of the desk's tests."""

from tests.support.api import service
from tests.support.dial_core import core

__all__ = ["core", "service"]
