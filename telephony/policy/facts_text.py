"""A facts document as text: JSON in which no member is told twice, since the one told first would silently be lost."""

import json
from typing import Any

from config.errors import Invalid


def parse_facts(data: bytes, source: str) -> Any:
    """The JSON value of a file or of standard input (UTF-8, a byte-order mark is passed over); `Invalid` names `source`."""
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # also of bytes that are no UTF-8, and of numbers too long to read
        raise Invalid(f"{source}: is not JSON: {error}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} is there twice")
    return found
