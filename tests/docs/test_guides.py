"""Every document: its links lead somewhere, its commands, pages, routes and settings exist, its tests are tests."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from crm_bridge.app import APIS
from crm_bridge.cli import cli
from crm_bridge.web.page_table import PAGES

DOCUMENTS = [Path("README.md"), Path("CONTRIBUTING.md"), *sorted(Path("docs").glob("*.md"))]
GUIDES = {"for-collectors.md", "for-qa.md", "for-supervisors.md", "for-admins.md"}
ROOMS = [path for top in ("telephony", "crm_bridge") for path in Path(top).iterdir() if (path / "__init__.py").exists()]
EVERY = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


def _text(document: Path) -> str:
    return document.read_text("utf-8")


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _text(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EVERY
def test_every_link_and_picture_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s+]+)\)", _text(document)):
        if re.match(r"https?:|mailto:", target):
            continue
        place, _, anchor = target.partition("#")
        file = document if not place else document.parent / place
        assert file.exists(), target
        assert not anchor or anchor in _anchors(file), target


@EVERY
def test_every_file_that_is_named_exists(document: Path) -> None:
    named = re.findall(
        r"`((?:config|telephony|recordings|crm_bridge|docs|bench|tests|tools|deploy|examples)/[\w./-]*\w/?)`",
        _text(document),
    )
    assert [name for name in named if not Path(name).exists()] == []


@cache
def _tests_of(file: str) -> frozenset[str]:
    tree = ast.parse(Path(file).read_text("utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


@EVERY
def test_every_test_that_is_named_is_one(document: Path) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", _text(document)):
        assert Path(file).exists(), file
        assert not name or name in _tests_of(file), f"{file}::{name}"


def test_every_threat_names_the_test_that_covers_it() -> None:
    rows = [line for line in _text(Path("docs/threat-model.md")).splitlines() if line.startswith("| ")]
    threats = [row.split(" | ") for row in rows if not row.startswith("| threat |")]
    assert len(threats) > 40
    assert [cells[0] for cells in threats if "`tests/" not in cells[-1]] == []


def _command(words: list[str]) -> tuple[Any, list[str]] | None:
    """The command that these words call, and what is left of them; None: there is none."""
    found: Any = typer.main.get_command(cli)
    rest = list(words)
    while isinstance(found, TyperGroup):
        name = rest.pop(0) if rest else ""
        if name not in found.commands:
            return None
        found = found.commands[name]
    return found, rest


def _called(text: str) -> list[str]:
    """The commands in blocks and code spans, without their comments."""
    blocks = [line for line in text.splitlines() if re.match(r"\s{4,}\S*ringfence |.*/ringfence |\s*TOKEN=", line)]
    spans = re.findall(r"`(?:\S*/)?(ringfence [^`]+)`", text)
    found = [match[1] for line in blocks if (match := re.search(r"(?:^|/|\s|\()(ringfence [a-z].*)", line))]
    return [re.split(r"\s#|\)\"?$|\s&$|\s\\$", one)[0] for one in [*found, *spans]]


@EVERY
def test_every_command_that_is_shown_exists_with_its_options(document: Path) -> None:
    for shown in _called(_text(document)):
        for plain in _alternatives(shown):
            words = [word for word in shlex.split(plain.replace("[", " ").replace("]", " "))[1:] if word != "…"]
            called = _command(words)
            assert called is not None, shown
            options = {name for parameter in called[0].params for name in parameter.opts} | {"--help"}
            used = {word for word in called[1] if word.startswith("-") and word != "-"}
            assert used <= options, f"{shown}: {used - options}"


def _alternatives(shown: str) -> list[str]:
    """`pbx plan|apply|check` stands for three."""
    words = shown.split()
    for place, word in enumerate(words):
        if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", word):
            return [
                alternative
                for one in word.split("|")
                for alternative in _alternatives(" ".join([*words[:place], one, *words[place + 1 :]]))
            ]
    return [shown]


@EVERY
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", _text(Path("Makefile")), re.MULTILINE))
    named = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", _text(document), re.MULTILINE))
    assert named <= targets, named - targets


@EVERY
def test_every_route_that_is_named_exists(document: Path) -> None:
    known = [re.sub(r"\{[^}]+\}", "[^/]+", one.path) for api in APIS for one in api.operations]
    text = re.sub(r"\{[\w| ]+\}", "{}", _text(document))
    named = {
        path.rstrip("/")
        for path in re.findall(r"`(?:(?:GET|POST|PUT|PATCH|DELETE)(?:\\?\|[A-Z]+)* )(/v1/[\w/{}-]+)", text)
    }
    assert [path for path in sorted(named) if not any(re.fullmatch(one, path) for one in known)] == []


def test_every_page_is_in_a_guide_with_its_picture() -> None:
    guides = "".join(_text(Path("docs") / name) for name in GUIDES)
    assert [page.address for page in PAGES if f"`{page.address}`" not in guides] == []
    names = [page.template.removesuffix(".html").replace("_", "-") for page in PAGES]
    assert [name for name in names if f"screenshots/{name}-" not in guides] == []


def test_every_page_has_its_picture_in_both_languages() -> None:
    names = [page.template.removesuffix(".html").replace("_", "-") for page in PAGES if page.template != "desk.html"]
    wanted = [f"docs/screenshots/{name}-{language}.png" for name in [*names, "login"] for language in ("en", "zh")]
    assert [name for name in wanted if not Path(name).exists()] == []


def test_the_architecture_names_every_room_and_no_other() -> None:
    text = _text(Path("docs/architecture.md"))
    named = {name for name in re.findall(r"`((?:telephony|crm_bridge)/\w+)`", text.split("## Six ideas")[0])}
    assert named == {str(room) for room in ROOMS}


def test_every_document_is_reached_from_the_readme() -> None:
    reached = {str(Path(target)) for target in re.findall(r"\]\((docs/[\w-]+\.md)\)", _text(Path("README.md")))}
    assert {str(path) for path in DOCUMENTS if path.parent.name == "docs"} == reached
