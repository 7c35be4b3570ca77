"""Dialplan text taken apart: arguments, and what an extension pattern or an expression may stand for. Pure.

Sources: Asterisk's pages "Pattern Matching" and "Manipulating Variables Basics".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

ANYTHING = frozenset(map(chr, range(33, 127)))
"""What a caller may send as the user part of a SIP address, `@`, `/` and `&` too."""
_DIGITS = frozenset("0123456789")
_CLASSES = {"X": _DIGITS, "Z": _DIGITS - {"0"}, "N": _DIGITS - {"0", "1"}}
_OPEN, _CLOSE = "([{", ")]}"


def split(text: str, separator: str, most: int = -1) -> list[str]:
    """The parts between separators that are in no bracket or quotes; after `most` cuts the rest stays whole."""
    parts: list[str] = []
    depth, quoted, start = 0, False, 0
    for index, character in enumerate(text):
        if character == '"' and text[index - 1 : index] != "\\":
            quoted = not quoted
        elif not quoted and character in _OPEN:
            depth += 1
        elif not quoted and character in _CLOSE:
            depth = max(0, depth - 1)
        elif character == separator and not depth and not quoted and len(parts) != most:
            parts.append(text[start:index])
            start = index + 1
    return [*(part.strip() for part in parts), text[start:].strip()]


@dataclass(frozen=True)
class Language:
    """All texts an expression may stand for: one set of characters a place, and the set that any number of more are of."""

    places: tuple[frozenset[str], ...]
    tail: frozenset[str] = frozenset()

    def without(self, count: int) -> "Language":
        """What is left when the first `count` characters are cut off, as `${EXTEN:1}` does."""
        return Language(self.places[count:], self.tail)

    def then(self, other: "Language") -> "Language":
        """This text, then that. After an open end nothing is known of places any more."""
        if self.tail:
            more: frozenset[str] = frozenset().union(*other.places)
            return Language(self.places, self.tail | more | other.tail)
        return Language(self.places + other.places, other.tail)

    def meets(self, other: "Language") -> bool:
        """Whether some text is in both."""
        for index in range(max(len(self.places), len(other.places))):
            mine = self.places[index] if index < len(self.places) else self.tail
            theirs = other.places[index] if index < len(other.places) else other.tail
            if not mine & theirs:
                return False
        return True

    def may_hold(self, characters: str) -> bool:
        """Whether one of these characters may be in it."""
        wanted = set(characters)
        return bool(self.tail & wanted) or any(place & wanted for place in self.places)


UNKNOWN = Language((), ANYTHING)


def literal(text: str) -> Language:
    """Exactly this text."""
    return Language(tuple(frozenset(character) for character in text))


@lru_cache(maxsize=65_536)
def extension(written: str) -> Language:
    """What an extension of the dialplan matches: `1001`, `_9NXXXXXX`, `_[+0-9]X!`; a caller ID behind `/` is left out."""
    written = written.split("/", 1)[0]
    if not written.startswith("_"):
        return literal(written)
    places: list[frozenset[str]] = []
    for token in re.findall(r"\[[^\]]*\]|.", written[1:]):
        if token in ".!":
            return Language((*places, ANYTHING) if token == "." else tuple(places), ANYTHING)
        if token.startswith("["):
            places.append(_members(token[1:-1]))
        elif token != "-":
            places.append(_CLASSES.get(token.upper(), frozenset(token)))
    return Language(tuple(places))


def _members(inside: str) -> frozenset[str]:
    found: set[str] = set()
    for first, last in re.findall(r"(.)(?:-(.))?", inside):
        found |= {chr(code) for code in range(ord(first), ord(last or first) + 1)}
    return frozenset(found)


def expression(text: str, exten: Language) -> Language | None:
    """What a dialplan expression may stand for where `${EXTEN}` is of `exten`; None if it holds another variable."""
    found = Language(())
    for piece in re.findall(r"\$\{(?:[^{}]|\{[^{}]*\})*\}|\$\{.*|.", text):
        part = _variable(piece[2:-1], exten) if piece.startswith("${") else literal(piece)
        if part is None:
            return None
        found = found.then(part)
    return found


def _variable(inside: str, exten: Language) -> Language | None:
    if cut := re.fullmatch(r"EXTEN(?::(\d+))?", inside):
        return exten.without(int(cut[1] or 0))
    if kept := re.fullmatch(r"FILTER\(([^,()]*),.*\)", inside):
        return Language((), _members(kept[1].replace("\\x2D", "-")))
    return None


def with_globals(text: str, known: Mapping[str, str]) -> str:
    """The text with the variables that are known put in; the others stay as they are written."""
    return re.sub(r"\$\{(?:GLOBAL\((\w+)\)|(\w+))\}", lambda found: known.get(found[1] or found[2]) or found[0], text)


def variables(text: str) -> set[str]:
    """The plain variables that a text asks for, `${OUT}` but not `${EXTEN}` or functions."""
    own = {"EXTEN", "CONTEXT", "CHANNEL", "UNIQUEID", "PRIORITY"}
    found = re.findall(r"\$\{(?:GLOBAL\()?(\w+)[}:)]", text)
    return {name for name in found if name not in own and not name.startswith("ARG")}
