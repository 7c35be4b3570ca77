"""A run: so many faults by seed, on some stages at once; then all evidence is audited, and a table is printed."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.audit_evidence import audit_evidence
from tests.chaos.books import Finding
from tests.chaos.faults import FAULTS
from tests.chaos.rounds import Round, deck, play
from tests.chaos.stage import Stage, open_stage
from tests.chaos.wire import Wire

EVIDENCE_WITHIN = 240.0
"""Seconds after the last round within which every recording is in its place: a claim of a killed process lasts 120 s."""
BRIEF = 10.0
Say = Callable[[str], None]


@dataclass
class Campaign:
    """The rounds of a run and what was found in the end."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    in_the_end: list[tuple[str, Finding]] = field(default_factory=list)

    @property
    def findings(self) -> int:
        """How many invariants were violated."""
        return sum(len(played.findings) for played in self.rounds) + len(self.in_the_end)

    def table(self) -> str:
        """Fault kind, how often, calls, findings; in Markdown."""
        kinds: dict[str, list[Round]] = defaultdict(list)
        for played in self.rounds:
            kinds[played.fault].append(played)
        lines = ["| fault | what it is | times | calls | findings |", "|---|---|---:|---:|---:|"]
        for kind, fault in FAULTS.items():
            if rounds := kinds.get(kind):
                what = (fault.__doc__ or "").strip().splitlines()[0].rstrip(".")
                found = sum(len(played.findings) for played in rounds)
                lines.append(f"| `{kind}` | {what} | {len(rounds)} | {_calls(rounds)} | {found} |")
        lines.append(f"| **all** | | {len(self.rounds)} | {_calls(self.rounds)} | {self.findings} |")
        return "\n".join(lines)


def _calls(rounds: Sequence[Round]) -> int:
    return sum(len(played.scene.clicks) for played in rounds)


async def run(
    seed: int,
    faults: int,
    folder: Path,
    *,
    stages: int = 1,
    only: tuple[str, ...] = (),
    skip: int = 0,
    brief: bool = False,
    say: Say = print,
) -> Campaign:
    """Play `faults` rounds of `seed`, from round `skip` on.

    A brief run does not wait for what takes its minutes: recordings claimed by a killed process, markers still kept.
    """
    campaign = Campaign(seed)
    cards = list(enumerate(deck(seed, skip + faults, only)))[skip:]
    cards.reverse()
    async with asyncio.TaskGroup() as group:
        for number in range(min(stages, faults)):
            group.create_task(_on_stage(campaign, f"stage-{number + 1}", folder, cards, brief, say))
    campaign.rounds.sort(key=lambda played: played.index)
    return campaign


async def _on_stage(
    campaign: Campaign, name: str, folder: Path, cards: list[tuple[int, str]], brief: bool, say: Say
) -> None:
    mine: list[Round] = []
    place = folder / name
    place.mkdir()
    async with open_stage(name, place, Wire(), say=say) as stage:
        while cards:
            index, kind = cards.pop()
            played = await play(stage, campaign.seed, index, kind)
            mine.append(played)
            campaign.rounds.append(played)
            say(played.line(campaign.seed))
            for finding in played.findings:
                say(f"    {finding}")
        for finding in await _evidence(stage, mine, brief):
            where = _round_of(finding, mine)
            campaign.in_the_end.append((where, finding))
            say(f"[{campaign.seed} on {name}] in the end, {where}: {finding}")


async def _evidence(stage: Stage, rounds: Sequence[Round], brief: bool) -> list[Finding]:
    scenes = [played.scene for played in rounds]
    deadline = time.monotonic() + (BRIEF if brief else EVIDENCE_WITHIN)
    while True:
        findings = await audit_evidence(stage, scenes, brief=brief)
        if not findings or time.monotonic() > deadline:
            return findings
        await asyncio.sleep(1)


def _round_of(finding: Finding, rounds: Sequence[Round]) -> str:
    for played in rounds:
        for click in played.scene.clicks:
            if finding.number == click.number or (finding.call_id and finding.call_id == click.call_id):
                return f"round {played.index} ({played.fault})"
    return "of no round"
