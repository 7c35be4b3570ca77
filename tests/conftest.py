"""Fixtures that all tests share; each lives in a module of `tests/support`."""

pytest_plugins = [
    "tests.support.lab",
    "tests.support.postgres",
    "tests.support.databases",
    "tests.support.floor",
    "tests.support.s3",
]
