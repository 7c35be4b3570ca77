"""Fixtures of the dial core's tests."""

from tests.support.dial_core import core

__all__ = ["core"]
