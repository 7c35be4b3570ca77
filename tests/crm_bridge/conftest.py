"""Fixtures of the desk's tests."""

from tests.support.api import service

__all__ = ["service"]
