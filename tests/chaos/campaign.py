"""A run: so many faults by seed, on some stages at once; then all evidence is audited, and a table is printed."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.audit_evidence import audit_evidence
from tests.chaos.books import Finding
from tests.chaos.faults import FAULTS, OF_A_PAIR, OF_ONE
from tests.chaos.rounds import Round, deck, play
from tests.chaos.stage import Stage, open_stage
from tests.chaos.wire import Wire

EVIDENCE_WITHIN = 240.0
"""Seconds after the last round within which every recording is in its place: a claim of a killed process lasts 120 s."""
BRIEF = 10.0
Say = Callable[[str], None]
Card = tuple[int, str]
"""A round's number and its kind of fault."""


@dataclass
class Campaign:
    """The rounds of a run and what was found in the end."""

    seed: int
    rounds: list[Round] = field(default_factory=list)
    in_the_end: list[tuple[int, Finding]] = field(default_factory=list)

    @property
    def findings(self) -> int:
        """How many invariants were violated."""
        return sum(len(played.findings) for played in self.rounds) + len(self.in_the_end)

    def table(self) -> str:
        """Fault kind, how often, calls, findings; in Markdown."""
        kinds: dict[str, list[Round]] = defaultdict(list)
        for played in self.rounds:
            kinds[played.fault].append(played)
        lines = ["| fault | what it is | times | clicks | talked | findings |", "|---|---|---:|---:|---:|---:|"]
        for kind, fault in FAULTS.items():
            if rounds := kinds.get(kind):
                what = (fault.__doc__ or "").strip().splitlines()[0].rstrip(".")
                lines.append(f"| `{kind}` | {what} {self._figures(rounds)}")
        lines.append(f"| **all** | {self._figures(self.rounds)}")
        return "\n".join(lines)

    def _figures(self, rounds: Sequence[Round]) -> str:
        clicks = sum(len(played.scene.clicks) for played in rounds)
        talked = sum(played.ends["completed"] for played in rounds)
        indices = {played.index for played in rounds}
        found = sum(len(played.findings) for played in rounds)
        found += sum(index in indices for index, _ in self.in_the_end)
        return f"| {len(rounds)} | {clicks} | {talked} | {found} |"


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
    pairs = any(kind in OF_A_PAIR for _, kind in cards)
    singles = any(kind not in OF_A_PAIR for _, kind in cards)
    async with asyncio.TaskGroup() as group:
        for number in range(min(stages, faults)):
            pair = pairs and (number == 0 or not singles)
            group.create_task(_on_stage(campaign, f"stage-{number + 1}", folder, cards, brief, say, pair))
    campaign.rounds.sort(key=lambda played: played.index)
    return campaign


async def _on_stage(
    campaign: Campaign, name: str, folder: Path, cards: list[Card], brief: bool, say: Say, pair: bool
) -> None:
    mine: list[Round] = []
    place = folder / name
    place.mkdir()
    async with open_stage(name, place, Wire(), pair=pair, say=say) as stage:
        while (card := _draw(cards, pair)) is not None:
            index, kind = card
            played = await play(stage, campaign.seed, index, kind)
            mine.append(played)
            campaign.rounds.append(played)
            say(played.line(campaign.seed))
            for finding in played.findings:
                say(f"    {finding}")
        for finding in await _evidence(stage, mine, brief):
            index = _round_of(finding, mine)
            campaign.in_the_end.append((index, finding))
            say(f"[{campaign.seed}/{index}] in the end: {finding}")


def _draw(cards: list[Card], pair: bool) -> Card | None:
    """The next card that can be played here: a pair's own first, since no other stage can play them."""
    mine = [card for card in cards if card[1] in OF_A_PAIR] if pair else []
    mine = mine or [card for card in cards if card[1] not in (OF_ONE if pair else OF_A_PAIR)]
    if not mine:
        return None
    cards.remove(mine[-1])
    return mine[-1]


async def _evidence(stage: Stage, rounds: Sequence[Round], brief: bool) -> list[Finding]:
    scenes = [played.scene for played in rounds]
    deadline = time.monotonic() + (BRIEF if brief else EVIDENCE_WITHIN)
    while True:
        findings = await audit_evidence(stage, scenes, brief=brief)
        if not findings or time.monotonic() > deadline:
            return findings
        await asyncio.sleep(1)


def _round_of(finding: Finding, rounds: Sequence[Round]) -> int:
    """The round whose call it is about, else the stage's last one."""
    for played in rounds:
        for click in played.scene.clicks:
            if finding.number == click.number or (finding.call_id and finding.call_id == click.call_id):
                return played.index
    return rounds[-1].index
