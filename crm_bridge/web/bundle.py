"""Our pages' own modules put into one file for other pages: no build step, no tool, the same code that the desk runs.

Each module becomes a function that is given what it imports and returns what it exports. The modules keep to a few forms
(`import {a, b as c} from "./x.js";`, `import "./x.js";`, `export const|let|function|async function|class`), which is checked.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from crm_bridge.web.translations import LANGUAGES, catalogue
from telephony.policy import packs

STATIC = Path(__file__).parent / "static"
IMPORT = re.compile(r'^import\s*(?:\{([^}]*)\}\s*from\s*)?"(\.{1,2}/[\w./-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:const|function|async function|class) (\w+))", re.MULTILINE)
FORBIDDEN = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)
STYLES = ("base.css", "call-bar.css", "incoming.css", "desk-people.css", "embed/embed.css")


class Unbundled(ValueError):
    """A module uses a form that cannot be put into the bundle."""


@cache
def bundle(entry: str) -> str:
    """One script of `entry` (a file below static/) and all that it imports; it works with and without `type=module`."""
    order: list[Path] = []
    _visit((STATIC / entry).resolve(), order, [])
    sources = [path.read_text(encoding="utf-8") for path in order]
    parts = [wrapped(path, source) for path, source in zip(order, sources, strict=True)]
    data = {"texts": _texts(sources), "rules": _rules(), "styles": _styles()}
    head = "/* The call bar of this service, for pages of other origins. */\n"
    guard = 'if (window.CallBridge) return;\n"use strict";\n'
    given = f"const BUNDLED = {json.dumps(data, ensure_ascii=False)};\n"
    return f"{head}(() => {{\n{guard}{given}{''.join(parts)}}})();\n"


def _visit(path: Path, order: list[Path], above: list[Path]) -> None:
    if path in above:
        raise Unbundled(f"{path.name} imports itself by way of {above[-1].name}")
    if path in order:
        return
    for found in IMPORT.finditer(path.read_text(encoding="utf-8")):
        _visit((path.parent / found[2]).resolve(), order, [*above, path])
    order.append(path)


def wrapped(path: Path, source: str) -> str:
    """A module as a function of what it imports. Raises Unbundled naming a line in another form."""

    def taken(found: re.Match[str]) -> str:
        if found[1] is None:
            return ""
        names = re.sub(r"\s+as\s+", ": ", " ".join(found[1].split()))
        return f"const {{ {names} }} = {_name((path.parent / found[2]).resolve())};\n"

    body = IMPORT.sub(taken, source)
    exported = [found[2] for found in EXPORT.finditer(body)]
    body = EXPORT.sub(r"\1", body)
    left = FORBIDDEN.search(body)
    if left is not None:
        raise Unbundled(f"{path.name}: {left[0]}")
    return f"const {_name(path)} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();\n"


def _name(path: Path) -> str:
    return "module_" + re.sub(r"\W", "_", str(path.relative_to(STATIC).with_suffix("")))


def _texts(sources: Iterable[str]) -> dict[str, dict[str, str]]:
    """The texts whose keys may be named by these modules, by their first word."""
    said = set(re.findall(r'["`]([a-z_]+)\.', "".join(sources)))
    return {
        language: {key: text for key, text in catalogue(language).items() if key.partition(".")[0] in said}
        for language in LANGUAGES
    }


def _rules() -> dict[str, object]:
    return {f"{pack.id}/{rule.name}": rule.text.model_dump() for pack in packs.available() for rule in pack.rules}


def _styles() -> str:
    """The pages' own styles inside a shadow root: what stood on the document stands on the host."""
    styles = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES)
    return styles.replace(":root", ":host")
