"""Fixtures of the recordings' tests."""

from tests.support.spooled import recorder, replay

__all__ = ["recorder", "replay"]
