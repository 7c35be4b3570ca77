"""What one step of somebody's dialplan may do: jump elsewhere, dial, or something that nobody can see by looking. Pure.

Source: the arguments of each application as `core show application NAME` gives them (Asterisk 20-22).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from telephony.pbx_setup.dialplan import Step
from telephony.pbx_setup.patterns import split

CONTACTS = "PJSIP_DIAL_CONTACTS"
"""Stands for the technology where a step dials the contacts of the endpoint that is named exactly."""


@dataclass(frozen=True)
class Jump:
    """To another place; an empty `context`, `extension` or `priority` is that of the step itself, `*` is any."""

    context: str
    extension: str
    priority: str
    arguments: str = ""


@dataclass(frozen=True)
class Dials:
    """A channel it makes: `technology` and what stands behind the slash, as written."""

    technology: str
    resource: str


@dataclass
class Doing:
    """All that a step may do. `unclear` says what cannot be seen; `ends`: the next priority is not reached from here."""

    jumps: list[Jump] = field(default_factory=list)
    dials: list[Dials] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    ends: bool = False

    def add(self, other: "Doing") -> None:
        """What another step does, done by this one."""
        self.jumps += other.jumps
        self.dials += other.dials
        self.unclear += other.unclear


def doing(step: Step) -> Doing:
    """What this step may do; nothing for an application that neither jumps nor dials."""
    found = Doing()
    take = _APPLICATIONS.get(step.application.lower())
    if take is not None:
        take(found, step.data)
    return found


def place(text: str) -> Jump:
    """`[[context,]extension,]priority[(arguments)]`, as Goto and Gosub take it."""
    words = split(text.strip(), ",")
    priority, _, arguments = words[-1].partition("(")
    if "${" in priority:
        priority = "*"
    extension = words[-2] if len(words) > 1 else ""
    return Jump(words[-3] if len(words) > 2 else "", extension, priority.strip(), arguments.removesuffix(")"))


def _goto(found: Doing, data: str) -> None:
    found.jumps.append(place(data))
    found.ends = True


def _gosub(found: Doing, data: str) -> None:
    found.jumps.append(place(data))


def _branch(found: Doing, data: str) -> None:
    """`condition?one:other`; an empty branch goes on."""
    condition = split(data, "?", 1)
    branches = [branch for branch in split(condition[-1], ":", 1) if branch]
    found.jumps += [place(branch) for branch in branches]


def _goto_if(found: Doing, data: str) -> None:
    _branch(found, data)
    found.ends = len(found.jumps) == 2


def _exec_if(found: Doing, data: str) -> None:
    for branch in split(split(data, "?", 1)[-1], ":", 1):
        _execute(found, branch)


def _execute(found: Doing, data: str) -> None:
    application, _, arguments = data.strip().partition("(")
    if "${" in application:
        found.unclear.append("the application to run is in a variable")
    elif application:
        found.add(doing(Step("", 0, "", application.strip(), arguments.removesuffix(")"))))


def _macro(found: Doing, data: str) -> None:
    name = split(data, ",")[0]
    found.jumps.append(Jump("*" if "${" in name else f"macro-{name}", "s", "1"))


def _dial(found: Doing, data: str) -> None:
    words = split(data, ",")
    _channels(found, words[0])
    _options(found, words[2] if len(words) > 2 else "")


def _retry_dial(found: Doing, data: str) -> None:
    _dial(found, ",".join(split(data, ",", 3)[3:]))


def _page(found: Doing, data: str) -> None:
    _channels(found, split(data, ",")[0])


def _channels(found: Doing, data: str) -> None:
    for target in split(data, "&"):
        if contacts := re.fullmatch(r"\$\{PJSIP_DIAL_CONTACTS\(([^,]*).*\)\}", target):
            found.dials.append(Dials(CONTACTS, contacts[1]))
            continue
        technology, slash, resource = target.partition("/")
        if "${" in technology or not slash:
            if target:
                found.unclear.append(f"what it dials is in a variable: {target}")
        elif technology.lower() == "local":
            found.jumps.append(_local(resource))
        else:
            found.dials.append(Dials(technology, resource))


def _local(resource: str) -> Jump:
    extension, _, context = resource.rpartition("@")
    return Jump(context.partition("/")[0] or "*", extension or "*", "1")


def _options(found: Doing, options: str) -> None:
    """Dial's U, b, B (Gosub), G, F (Goto) and M (Macro) take places, written with `^`."""
    for letter, inside in re.findall(r"([UbBGFM])\(([^()]*(?:\([^()]*\))?)\)", options):
        target = inside.replace("^", ",")
        if letter == "M":
            _macro(found, target)
        elif letter == "U":
            found.jumps.append(Jump(split(target, ",")[0], "s", "1"))
        else:
            found.jumps.append(place(target))


def _originate(found: Doing, data: str) -> None:
    words = [*split(data, ","), "", "", "", ""]
    _channels(found, words[0])
    if words[1].lower() == "exten":
        found.jumps.append(Jump(words[2], words[3] or "s", words[4] or "1"))
    else:
        _execute(found, f"{words[2]}({words[3]})")


def _any_of_context(argument: int) -> Callable[[Doing, str], None]:
    """The caller's digits choose an extension of the context named there, or of the step's own."""

    def take(found: Doing, data: str) -> None:
        words = split(data, ",")
        found.jumps.append(Jump(words[argument] if len(words) > argument else "", "*", "1"))

    return take


_PLACES = re.compile(
    r"(?:_{0,2}(?P<whole>TRANSFER_CONTEXT|FORWARD_CONTEXT)|_{0,2}GOTO_ON_BLINDXFR|CHANNEL\(hangup_handler_(?:push|wipe)\)"
    r"|(?:_{0,2}(?P<features>DYNAMIC_FEATURES)))\s*="
)


def _set(found: Doing, data: str) -> None:
    name = _PLACES.match(data)
    if name is None:
        return
    value = data[name.end() :]
    if name["whole"]:
        found.jumps.append(Jump("*" if "${" in value else value, "*", "1"))
    elif name["features"]:
        found.jumps += [Jump(f"features:{feature}", "*", "1") for feature in value.split("#")]
    else:
        found.jumps.append(place(value.replace("^", ",")))


def _unclear(what: str) -> Callable[[Doing, str], None]:
    return lambda found, data: found.unclear.append(what)


def _end(found: Doing, _data: str) -> None:
    found.ends = True


_APPLICATIONS: Mapping[str, Callable[[Doing, str], None]] = {
    "goto": _goto,
    "gotoif": _goto_if,
    "gotoiftime": _goto_if,
    "gosub": _gosub,
    "gosubif": _branch,
    "macro": _macro,
    "macroexclusive": _macro,
    "macroif": _unclear("a macro chosen by a condition"),
    "execif": _exec_if,
    "execiftime": _exec_if,
    "exec": _execute,
    "tryexec": _execute,
    "dial": _dial,
    "retrydial": _retry_dial,
    "page": _page,
    "originate": _originate,
    "background": _any_of_context(3),
    "waitexten": _any_of_context(99),
    "disa": _any_of_context(1),
    "directory": _any_of_context(1),
    "set": _set,
    "mset": _set,
    "queue": _unclear("members of a queue may be trunks or Local channels"),
    "followme": _unclear("followme.conf may name outside numbers"),
    "system": _unclear("a program of the PBX may originate calls"),
    "trysystem": _unclear("a program of the PBX may originate calls"),
    "agi": _unclear("an AGI program may dial"),
    "eagi": _unclear("an AGI program may dial"),
    "deadagi": _unclear("an AGI program may dial"),
    "externalivr": _unclear("an outside program may dial"),
    "stasis": _unclear("an ARI application may dial"),
    "hangup": _end,
    "busy": _end,
    "congestion": _end,
    "return": _end,
}
