"""Ways round the gate: from where in a running dialplan a trunk can be reached without passing our contexts. Pure.

Follows include, Goto, Gosub, Macro, GotoIf, Local channels, transfer contexts and IVR digits from each start, as far as a look can
see. What only shows while a call runs (a dial string in a variable, AGI, realtime or Lua) is told as unclear: the run-time
watch over the trunks is there for it.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from telephony.pbx_setup.dialplan import DESK, Step
from telephony.pbx_setup.patterns import ANYTHING, Language, expression, extension, literal, split, with_globals
from telephony.pbx_setup.state import Contexts
from telephony.pbx_setup.steps import CONTACTS, Dials, Doing, Jump, doing

OURS = "ringfence-"
EMERGENCY = "ringfence-emergency"
PAST = "past the gate"
"""Stands for the trunk where our own dialplan is entered behind the question."""
NEVER_OUTSIDE = (
    "agent",
    "audiosocket",
    "confbridge",
    "console",
    "message",
    "multicastrtp",
    "parked",
    "snoop",
    "websocket",
)
"""Channel technologies that lead to nobody outside."""
_MOST_COMPARED = 2_000_000
"""Extensions looked at in one search: seconds of work, and more than the dialplan of a large PBX takes."""
_NUMBERS = range(1, 16)
"""How long a number before the @ may be."""
_FOR_EVERYONE = ("h", "i", "t", "T", "o", "a", "e")
"""Extensions that Asterisk goes to by itself in whatever context a call is."""


@dataclass(frozen=True)
class Endpoints:
    """The PJSIP endpoints by what they are; one that is neither is nobody's: dialling it goes nowhere."""

    trunks: Collection[str]
    phones: Collection[str] = ()


@dataclass(frozen=True, order=True)
class Spot:
    """One step in the dialplan."""

    context: str
    extension: str
    priority: int

    def __str__(self) -> str:
        return f"{self.context},{self.extension},{self.priority}"


@dataclass(frozen=True)
class Way:
    """One step that reaches the outside, or may: `trunk` is where to, or None where only running it would tell."""

    spot: Spot
    line: str
    why: str
    trunk: str | None
    path: tuple[str, ...]
    """The contexts passed, the first being where it starts."""
    instead: str = ""
    """What the line may be instead, where that can be seen."""


class Dialplan:
    """A running dialplan to search; `known` are its global variables."""

    def __init__(self, contexts: Contexts, endpoints: Endpoints, known: Mapping[str, str]) -> None:
        self._endpoints = endpoints
        self._known = known
        self.includes: dict[str, list[str]] = {}
        self.switches: dict[str, list[str]] = {}
        self._included: dict[str, list[str]] = {}
        self._steps: dict[str, dict[str, dict[int, Step]]] = {}
        for name, entries in contexts.items():
            self._read(name, entries)

    def _read(self, name: str, entries: frozenset[tuple[str, ...]]) -> None:
        steps = self._steps.setdefault(name, {})
        for exten, priority, label, application, data, included, switch, _ignored in sorted(entries):
            if included:
                self.includes.setdefault(name, []).append(included.replace("|", ",").split(",")[0].strip())
            elif switch:
                self.switches.setdefault(name, []).append(switch)
            elif priority.isdigit():
                step = Step(exten, int(priority), label, application, data)
                steps.setdefault(exten, {})[step.priority] = step

    @cached_property
    def names(self) -> list[str]:
        """The contexts that are not ours."""
        return [name for name in self._steps if not name.startswith(OURS)]

    def ways_from(self, start: str) -> list[Way]:
        """Each step reached from an endpoint whose context is `start` that reaches a trunk, or may, by the shortest path."""
        return list(_Search(self, start).run())

    def own_ways(self, name: str) -> Iterator[Way]:
        """The context's own steps that dial a PJSIP trunk, or enter our dialplan past its question, whoever comes there."""
        for exten, steps in self._steps.get(name, {}).items():
            for priority, step in steps.items():
                spot = Spot(name, exten, priority)
                for way in self.ways_of(spot, f"{step.application}({step.data})", (name,)):
                    if way.trunk in self._endpoints.trunks or way.trunk == PAST:
                        yield way

    def ways_of(self, spot: Spot, line: str, path: tuple[str, ...]) -> Iterator[Way]:
        """What one step does that gets outside, or may."""
        does = self.does(spot)
        for why in does.unclear:
            yield Way(spot, line, why, None, path)
        for dials in does.dials:
            if told := self.reaches(dials, spot):
                trunk, why, instead = told
                yield Way(spot, line, why, trunk, path, instead)
        for jump in does.jumps:
            if why := _past_the_gate(jump):
                yield Way(spot, line, why, PAST, path)
            elif "${" in jump.context or jump.context == "*":
                yield Way(spot, line, "goes to a context that is in a variable", None, path)

    def whole(self, name: str) -> Iterator[tuple[str, str]]:
        """The context's extensions and those of all it includes, as (context, extension)."""
        for context in self.with_included(name):
            yield from ((context, exten) for exten in self._steps.get(context, {}))

    def with_included(self, name: str) -> list[str]:
        """The context and all that it includes, itself or through others."""
        if name not in self._included:
            found: dict[str, None] = {}
            waiting = [name]
            while waiting:
                context = waiting.pop()
                if context not in found:
                    found[context] = None
                    waiting += self.includes.get(context, [])
            self._included[name] = list(found)
        return self._included[name]

    def steps(self, context: str, exten: str) -> Mapping[int, Step]:
        """The priorities of one extension."""
        return self._steps.get(context, {}).get(exten, {})

    def does(self, spot: Spot) -> Doing:
        """What the step there may do, global variables put in."""
        step = self.steps(spot.context, spot.extension)[spot.priority]
        data = with_globals(step.data, {**self._known, "CONTEXT": spot.context})
        return doing(Step(step.extension, step.priority, step.label, step.application, data))

    def comes_back(self, jump: Jump) -> bool:
        """Whether a Gosub there may return: those of ours that end the call do not."""
        steps = [
            step for exten in self._steps.get(jump.context, {}) for step in self.steps(jump.context, exten).values()
        ]
        return not jump.context.startswith(OURS) or any(step.application == "Return" for step in steps)

    def reaches(self, dials: Dials, spot: Spot) -> tuple[str | None, str, str] | None:
        """(trunk, why, what to write instead) of what a step dials; None if it stays inside. No trunk: it is unclear."""
        technology = dials.technology.lower()
        if technology in NEVER_OUTSIDE:
            return None
        if dials.technology == CONTACTS:
            return self._endpoint(dials.resource, "", spot, exact=True)
        if technology != "pjsip":
            trunk = f"{dials.technology}/{dials.resource}"
            lines = technology in ("dahdi", "zap", "misdn", "khomp", "dongle", "quectel", "srx")
            if lines or "@" in dials.resource or "/" in dials.resource:
                return trunk, f"dials outside by {dials.technology}", ""
            return None, f"{trunk} may be a trunk: only PJSIP endpoints can be told apart", ""
        number, endpoint = _parts(dials.resource)
        return self._endpoint(endpoint, number, spot)

    def _endpoint(
        self, endpoint: str, number: str, spot: Spot, *, exact: bool = False
    ) -> tuple[str | None, str, str] | None:
        instead = f"Goto({DESK},{number},1)" if number else ""
        if endpoint in self._endpoints.trunks:
            return endpoint, f"dials the trunk {endpoint}", instead
        spoken = expression(endpoint, extension(spot.extension))
        if spoken is None:
            return None, f"which endpoint it dials is in a variable: {endpoint}", instead
        filtered = f"Dial(PJSIP/${{FILTER(0-9,{endpoint})}})"
        for trunk in self._endpoints.trunks:
            if spoken.meets(literal(trunk)):
                return trunk, f"may dial the trunk {trunk}", filtered
            if not exact and _may_name(spoken, trunk):
                return trunk, f"lets @ in, so whoever dials 1@{trunk} dials the trunk {trunk}", filtered
        return None


def _may_name(spoken: Language, trunk: str) -> bool:
    return any(spoken.meets(Language((ANYTHING,) * length).then(literal(f"@{trunk}"))) for length in _NUMBERS)


def _parts(resource: str) -> tuple[str, str]:
    """(number, endpoint) of `number@endpoint`, `endpoint/sip:…` or `endpoint`."""
    halves = split(resource, "@")
    ways = split(halves[0], "/", 1)
    if len(ways) == 2:
        return ways[1].removeprefix("sip:"), ways[0]
    if len(halves) == 1:
        return "", resource
    return "@".join(halves[:-1]), split(halves[-1], "/")[0]


def _past_the_gate(jump: Jump) -> str:
    if jump.context == EMERGENCY and (not jump.arguments.isdigit() or len(jump.arguments) > 6):
        return "hands any number to the emergency way, which asks no gate"
    if jump.context.startswith(OURS) and jump.priority not in ("1", ""):
        return f"enters {jump.context} in its middle, behind the gate's question"
    return ""


class _Search:
    """One search, breadth first, so that the path told is the shortest."""

    def __init__(self, plan: Dialplan, start: str) -> None:
        self._plan = plan
        self._start = start
        self._seen: set[Spot] = set()
        self._entered: set[tuple[str, Language | None, str]] = set()
        self._left = _MOST_COMPARED
        self._waiting: deque[tuple[Spot, tuple[str, ...]]] = deque()
        self._switched: list[Way] = []

    def run(self) -> Iterator[Way]:
        self._enter(self._start, None, "1", ())
        while self._waiting:
            spot, path = self._waiting.popleft()
            if spot not in self._seen:
                self._seen.add(spot)
                yield from self._step(spot, path)
        yield from self._switched
        if self._left < 0:
            yield Way(Spot(self._start, "", 0), "", "it is too large to be searched whole", None, (self._start,))

    def _step(self, spot: Spot, path: tuple[str, ...]) -> Iterator[Way]:
        step = self._plan.steps(spot.context, spot.extension)[spot.priority]
        yield from self._plan.ways_of(spot, f"{step.application}({step.data})", path)
        does = self._plan.does(spot)
        ends = does.ends
        for jump in does.jumps:
            if "${" not in jump.context and jump.context != "*":
                self._jump(jump, spot, path)
            ends |= step.application == "Gosub" and not self._plan.comes_back(jump)
        if not ends and spot.priority + 1 in self._plan.steps(spot.context, spot.extension):
            self._waiting.append((Spot(spot.context, spot.extension, spot.priority + 1), path))

    def _jump(self, jump: Jump, spot: Spot, path: tuple[str, ...]) -> None:
        context = jump.context or spot.context
        if context.startswith(OURS):
            return
        if jump.extension == "*":
            return self._enter(context, None, "1", path)
        if not jump.extension and not jump.context:
            return self._enter_extension(spot.context, spot.extension, jump.priority, path)
        wanted = expression(jump.extension or "s", extension(spot.extension))
        return self._enter(context, wanted, jump.priority, path)

    def _enter(self, name: str, wanted: Language | None, priority: str, path: tuple[str, ...]) -> None:
        """Into every extension of a context that `wanted` may be (None: any), and those that Asterisk goes to by itself."""
        asked = (name, wanted, priority)
        if name.startswith(OURS) or asked in self._entered or (name, None, priority) in self._entered or self._left < 0:
            return
        self._entered.add(asked)
        for context, exten in self._plan.whole(name):
            self._left -= 1
            if context.startswith(OURS):
                continue
            if wanted is None or exten in _FOR_EVERYONE or wanted.meets(extension(exten)):
                self._enter_extension(context, exten, priority, _extended(path, name, context))
        for context in self._plan.with_included(name):
            for switch in self._plan.switches.get(context, []):
                self._switch(context, switch, _extended(path, name, context))

    def _enter_extension(self, context: str, exten: str, priority: str, path: tuple[str, ...]) -> None:
        steps = self._plan.steps(context, exten)
        numbers: Sequence[int] = [number for number, step in steps.items() if priority in (str(number), step.label)]
        if not numbers and not priority.isdigit():
            numbers = list(steps)
        spots = (Spot(context, exten, number) for number in numbers)
        self._waiting.extend((spot, path) for spot in spots if spot not in self._seen)

    def _switch(self, context: str, switch: str, path: tuple[str, ...]) -> None:
        way = Way(
            Spot(context, "", 0), f"switch => {switch}", f"extensions come from {switch}, not from files", None, path
        )
        if way.spot not in self._seen:
            self._seen.add(way.spot)
            self._switched.append(way)


def _extended(path: tuple[str, ...], *names: str) -> tuple[str, ...]:
    for name in names:
        if not path or path[-1] != name:
            path = (*path, name)
    return path
