"""Logs are lines of JSON with identifiers only: nothing that names a person, a number, a debt or a secret is ever passed to one."""

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import structlog

from crm_bridge import log

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
IDENTIFIERS = {
    "attempts", "call_id", "cause", "changed", "channel", "connector", "destination", "detail", "dialled_by", "did",
    "end_reason", "error", "failed", "failures", "file", "frames", "host", "import_id", "incident", "item", "key",
    "known", "listening", "mail", "method", "outcome", "pbx", "port", "reached", "reader", "recording", "report",
    "route", "rule", "state", "tick", "uniqueid", "what", "why",
}  # fmt: skip
"""What a log line may say: ids, places, kinds and causes. `dialled_by` is an extension, `did` a number of ours."""
MODULES = [
    path for top in ("config", "telephony", "recordings", "crm_bridge") for path in sorted(Path(top).rglob("*.py"))
]


def _calls(module: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id in ("log", "logger"):
            yield node


def test_a_log_line_is_given_identifiers_only() -> None:
    told = {
        f"{module}:{call.lineno} {word.arg}"
        for module in MODULES
        for call in _calls(module)
        for word in call.keywords
        if word.arg is not None and word.arg not in IDENTIFIERS
    }
    assert told == set()


def test_a_log_line_says_what_happened_in_words_that_are_fixed() -> None:
    loose = [
        f"{module}:{call.lineno}"
        for module in MODULES
        for call in _calls(module)
        if not (call.args and isinstance(call.args[0], ast.Constant))
    ]
    assert loose == []


def test_lines_are_json_with_level_and_time_whoever_writes_them(tmp_path: Path) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        log.configure(tmp_path / "ringfence.log")
        structlog.get_logger("ours").info("call.closed", call_id="c1")
        logging.getLogger("theirs").warning("something of a library's")
        for handler in root.handlers:
            handler.flush()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        log.quiet()
        logging.disable(logging.NOTSET)
        structlog.reset_defaults()
    lines = [json.loads(line) for line in (tmp_path / "ringfence.log").read_text("utf-8").splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("call.closed", "info"), ("something of a library's", "warning"),
    ]  # fmt: skip
    assert lines[0]["call_id"] == "c1"
    assert all(line["timestamp"].endswith("Z") for line in lines)
