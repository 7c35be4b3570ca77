"""The catalogue: both languages say everything that pages and modules ask for, and nothing is written past it."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from crm_bridge.web.pages import HERE
from crm_bridge.web.translations import LANGUAGES, catalogue

MODULES = sorted((HERE / "static").rglob("*.js"))
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
CALLED = re.compile(r"""\b(?:t|tNodes|knows)\(\s*(["'`])((?:(?!\1).)+)\1""")
CHOSEN = re.compile(r"""\b(?:t|tNodes)\([^()"'`]*\?\s*"([\w.\-]+)"\s*:\s*"([\w.\-]+)\"""")
MARKED = re.compile(r"""(?:data-t|data-t-[a-z-]+|data-title)="([\w.\-]+)\"""")
SERVER = sorted(HERE.parent.rglob("*.py"))
LATIN_IN_CHINESE = {"product.name", "language.en", "role.crm", "page.needs_script"}
NAMES = re.compile(r"\{\w+\}|docs/[\w-]+\.md|\b[A-Z][A-Z0-9-]+\b")
"""Values, our documents, and abbreviations that Chinese writes as they are: CRM, JSON, GB18030."""


def _keys_of_modules() -> dict[str, str]:
    """Every key or `prefix.${…}` that a module asks for, with the module's name."""
    found: dict[str, str] = {}
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        for _, key in CALLED.findall(text):
            found[key] = module.name
        for pair in CHOSEN.findall(text):
            found |= dict.fromkeys(pair, module.name)
    return found


def test_both_languages_have_the_same_keys() -> None:
    assert catalogue("en").keys() == catalogue("zh").keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language: str) -> None:
    assert [key for key, text in catalogue(language).items() if not text.strip()] == []


def test_both_languages_fill_in_the_same_values() -> None:
    for key, text in catalogue("en").items():
        wanted, given = (set(re.findall(r"\{\w+\}", one)) for one in (text, catalogue("zh")[key]))
        assert wanted == given, key


def test_chinese_texts_are_chinese_with_chinese_punctuation() -> None:
    for key, text in catalogue("zh").items():
        plain = NAMES.sub("", text)
        if key not in LATIN_IN_CHINESE:
            assert not re.search(r"[A-Za-z]{2}", plain), key
        assert not re.search(r"[\u4e00-\u9fff][,;:!?()]", plain), key


def test_every_key_that_a_module_asks_for_is_there() -> None:
    known = catalogue("en")
    for key, module in _keys_of_modules().items():
        prefix, dynamic, _ = key.partition("${")
        if dynamic:
            assert any(name.startswith(prefix) for name in known), f"{module}: {key}"
        else:
            assert key in known, f"{module}: {key}"


def test_every_key_is_asked_for_somewhere() -> None:
    everything = "".join(path.read_text(encoding="utf-8") for path in [*MODULES, *TEMPLATES])
    told = "".join(path.read_text(encoding="utf-8") for path in SERVER)  # mail and documents are written by the server
    prefixes = (*re.findall(r"`([a-z.]+\.)\$\{", everything), *re.findall(r"""f["']([a-z.]+\.)\{""", told))
    everything += told
    unused = [key for key in catalogue("en") if f'"{key}"' not in everything and not key.startswith(prefixes)]
    assert [key for key in unused if not key.startswith("language.")] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_writes_no_words_past_the_catalogue(template: Path) -> None:
    text = re.sub(r"{% block body_class %}.*?{% endblock %}", "", template.read_text(encoding="utf-8"))
    tree = Environment(autoescape=True).parse(text)
    written = "".join(node.data for node in tree.find_all(nodes.TemplateData))
    assert re.findall(r">[^<>]*[A-Za-z]{2}[^<>]*<", written) == []
    assert all(key in catalogue("en") for key in MARKED.findall(written) if "." in key)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_never_parses_data_as_markup(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_module_writes_no_sentence_past_the_catalogue(module: Path) -> None:
    # A sentence in quotes: a capital letter and two words. Comments are not in quotes; `h("…")` takes lower-case names.
    text = re.sub(r"//.*|/\*[\s\S]*?\*/", "", module.read_text(encoding="utf-8"))
    assert re.findall(r"""["'`][A-Z][a-z]+ [a-z]+[^"'`]*["'`]""", text) == []
