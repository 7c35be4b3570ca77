"""One flat catalogue a language (`locales/*.json`), read by the templates here and by the page's modules over HTTP."""

import json
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")
FOLDER = Path(__file__).parent / "locales"


@cache
def catalogue(language: str) -> dict[str, str]:
    """Every text of one of `LANGUAGES`, by key."""
    texts: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return texts


def translate(language: str, key: str) -> str:
    """The text of `key`; a key that is not there is a mistake in a template and raises `KeyError`."""
    return catalogue(language)[key]


def preferred_language(chosen: str | None, accept_language: str) -> str:
    """The language that the reader chose before, else the first of `LANGUAGES` the browser asks for, else English.

    `accept_language` is the header of RFC 9110, section 12.5.4; a range that cannot be read is passed over.
    """
    if chosen in LANGUAGES:
        return str(chosen)
    wishes = [_wish(position, part) for position, part in enumerate(accept_language.split(","))]
    for quality, _, language in sorted(wishes):
        if quality < 0 and language in LANGUAGES:
            return language
    return "en"


def _wish(position: int, part: str) -> tuple[float, int, str]:
    """One language range as (negative quality, position, primary language), so that sorting puts the dearest first."""
    name, _, parameter = part.partition(";")
    try:
        quality = float(parameter.strip().removeprefix("q=") or 1)
    except ValueError:
        quality = 0
    return -quality, position, name.strip().lower().split("-")[0]
