"""The catalogue of events: what the code writes is in it, what is in it the code writes, and the document says it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_bridge.outbox.event_kinds import KINDS, document, require
from crm_bridge.outbox.messages import FINISHED

CODE = [
    path for root in ("config", "telephony", "recordings", "crm_bridge") for path in sorted(Path(root).rglob("*.py"))
]
MADE_OF_PARTS = (
    "complaint.",
    "case.",
    "session.",
    "token.",
    "widget.",
    "deadline.",
    "recording.",
    "hold.",
    "trunk.",
    "call_back.",
)
"""Families whose kinds are partly put together (`f"complaint.{what}"`)."""


def _constants(tree: ast.AST) -> Iterator[str]:
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _entry_kinds(tree: ast.AST) -> Iterator[str]:
    """The kind given in words to each `Entry(at, kind, …)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Entry":
            given = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "kind")]
            yield from (one.value for one in given if isinstance(one, ast.Constant))


def test_every_kind_that_is_journalled_is_in_the_catalogue() -> None:
    written = {kind for path in CODE for kind in _entry_kinds(ast.parse(path.read_text(encoding="utf-8")))}
    assert len(written) > 30
    assert written - KINDS.keys() - {FINISHED} == set()


def test_every_kind_in_the_catalogue_is_one_of_the_code() -> None:
    catalogue = Path("crm_bridge/outbox/event_kinds.py")
    said = {
        text for path in CODE if path != catalogue for text in _constants(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert [kind for kind in KINDS if kind not in said and not kind.startswith(MADE_OF_PARTS)] == []


def test_the_document_is_the_catalogue() -> None:
    assert Path("docs/events.md").read_text(encoding="utf-8") == document()


@pytest.mark.parametrize("pattern", ["*", "call.ended", "call.*", "screen_pop", "complaint.*", "note.written"])
def test_what_exists_may_be_asked_for(pattern: str) -> None:
    assert require(pattern) == pattern


@pytest.mark.parametrize("pattern", ["call.", "call*", "nothing.*", "call.endet", "", "**", FINISHED])
def test_what_does_not_exist_may_not(pattern: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        require(pattern)
