"""Where a number is from and whose network it was given out for (S26): read `python -m telephony.number_places`.

phonenumbers' place names take 150 MB and seconds to load, so a process of its own loads them, answers a JSON list of E.164
numbers on stdin with a JSON object on stdout, and ends. A number that moved with its owner keeps its old place.
"""

import os
import sys
from typing import Any

import phonenumbers
from pydantic_core import from_json, to_json

LANGUAGES = ("en", "zh")


def places(numbers: list[str]) -> dict[str, dict[str, dict[str, str]]]:
    """{number: {region: {en, zh}, carrier: {en, zh}}}; what is not known is an empty text."""
    from phonenumbers import carrier, geocoder

    found: dict[str, dict[str, dict[str, str]]] = {}
    for number in numbers:
        try:
            parsed: Any = phonenumbers.parse(number, None)
        except phonenumbers.NumberParseException:
            parsed = None
        found[number] = {
            "region": {one: geocoder.description_for_number(parsed, one) if parsed else "" for one in LANGUAGES},
            "carrier": {one: carrier.name_for_number(parsed, one) if parsed else "" for one in LANGUAGES},
        }
    return found


def main() -> None:
    """Answer one list. Calls come first: this may wait for the processor."""
    os.nice(19)
    sys.stdout.buffer.write(to_json(places(from_json(sys.stdin.buffer.read()))))


if __name__ == "__main__":
    main()
