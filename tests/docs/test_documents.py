"""What the documents say of the code is what the code says."""

import re
from pathlib import Path

from pydantic import BaseModel

from config.settings import Pbx, Settings
from telephony.calls.call_states import TRANSITIONS, State

README = Path("README.md").read_text(encoding="utf-8")
CONFIGURATION = Path("docs/configuration.md").read_text(encoding="utf-8")


def test_the_readme_draws_the_declared_call_states() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", README, re.MULTILINE))
    assert drawn == {(str(source), str(target)) for source, targets in TRANSITIONS.items() for target in targets}
    assert "    [*] --> queued" in README
    assert {str(state) for state in State} == {name for pair in drawn for name in pair}


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", "\n".join(_first_cells(CONFIGURATION))))
    keys = {"pbx"} | {f"pbx.{name}" for name in Pbx.model_fields}
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys |= {f"{section}.{name}" for name in kind.model_fields}
    assert documented == keys


def _first_cells(text: str) -> list[str]:
    return [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]


def test_every_file_that_the_readme_names_exists() -> None:
    named = re.findall(r"`((?:config|telephony|recordings|crm_bridge|docs|bench)/[\w./]*)`", README)
    assert named
    assert [name for name in named if not Path(name).exists()] == []
    links = re.findall(r"\]\(([\w./-]+)\)", README)
    assert [link for link in links if not Path(link).exists()] == []
