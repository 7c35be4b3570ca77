"""Our dialplan, as text: how a collector's leg, a customer's leg and a number typed on a desk phone pass the gate.

The contexts are text in `contexts/`. Pure: parameters in, sections out; `plan.py` writes them to
the PBX. docs/dialplan.md draws the way of a leg.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

from config.errors import NotFound
from config.settings import Settings

FILE = "ringfence.conf"
"""Our own file in the PBX's configuration folder; the admin's extensions.conf only includes it."""
FAMILY = "ringfence"
"""The AstDB family that holds what the PBX wrote down for us."""
CLICK, DESK, GATE, PROBE = "ringfence-click", "ringfence-desk", "ringfence-gate", "ringfence-probe"
INBOUND = "ringfence-inbound"
"""Where a trunk endpoint sends what comes in, so that inbound calls are ours."""
EMERGENCY_NUMBERS = ("110", "112", "119", "120", "122", "911", "999", "000")


@dataclass(frozen=True, kw_only=True)
class DialplanSettings:
    """What the dialplan depends on. Values outside these shapes raise ValueError, since they end up in dialplan code."""

    gate: str
    """host:port where the PBX reaches the FastAGI gate."""
    spool: str
    """Folder for recordings as the PBX sees it, without a slash at its end."""
    emergency: Sequence[str] = EMERGENCY_NUMBERS
    """Numbers that pass without the gate, 2-6 digits."""
    hold_music: str = ""
    """The PBX's class of music on hold that a waiting party hears; empty: a soft tone of ours."""
    longest_hold: int = 900
    """Seconds after which a held party hears a farewell and is hung up, whatever became of the service."""
    emergency_trunks: Sequence[str] = ()
    """PJSIP endpoints tried in order for those numbers while AstDB `ringfence/emergency-trunks` names none."""
    pbx: str = ""
    """The PBX's name among the service's settings, told with each inbound call and typed number; empty: the first one."""

    def __post_init__(self) -> None:
        shapes: list[tuple[str, str]] = [(self.gate, r"[A-Za-z0-9.\-]+:\d{1,5}"), (self.spool, r"(/[A-Za-z0-9._\-]+)+")]
        shapes.append((self.hold_music, r"[A-Za-z0-9_\-]*"))
        shapes += [(number, r"\d{2,6}") for number in self.emergency]
        shapes += [(endpoint, r"[A-Za-z0-9_.\-]+") for endpoint in self.emergency_trunks]
        shapes.append((self.pbx, r"[A-Za-z0-9_.\-]*"))
        for value, shape in shapes:
            if not re.fullmatch(shape, value):
                raise ValueError(f"{value!r} cannot stand in a dialplan")


@dataclass(frozen=True)
class Section:
    """One context of our file: its name and its lines as (`exten` or `same`, what follows the arrow)."""

    name: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, order=True)
class Step:
    """One priority as a running Asterisk shows it (AMI ShowDialPlan)."""

    extension: str
    priority: int
    label: str
    application: str
    data: str


_NOW = "${STRFTIME(,UTC,%Y-%m-%dT%H:%M:%S.%3qZ)}"
_HOLD_TONE = "PlayTones(350+440/250,0/250,350+440/250,0/4250)"
_GOODBYE = "vm-goodbye"
_FILES = ("click", "gate", "leg", "desk", "emergency", "inbound", "live", "listen", "probe")
"""The files of `telephony/pbx_setup/contexts/`, in the order in which the PBX gets them."""


def sections(settings: DialplanSettings) -> tuple[Section, ...]:
    """Every context of our file, in its order."""
    found: list[Section] = []
    for block in re.split(r"(?m)^\[", _text(settings))[1:]:
        name, *lines = block.splitlines()
        pairs = (line.split(" => ", 1) for line in lines if line and not line.startswith(";"))
        found.append(Section(name.rstrip("]"), tuple((keyword, value) for keyword, value in pairs)))
    return tuple(found)


def _text(settings: DialplanSettings) -> str:
    emergency = "".join(
        f"exten => {number},1,Gosub(ringfence-emergency,s,1({number}))\n" for number in settings.emergency
    )
    folder = files("telephony.pbx_setup") / "contexts"
    contexts = "".join((folder / f"{name}.conf").read_text(encoding="utf-8") for name in _FILES)
    text = contexts.replace("@EMERGENCY@", emergency).replace("@TRUNKS@", ",".join(settings.emergency_trunks))
    text = text.replace("@PBX@", settings.pbx)
    hold = f"StartMusicOnHold({settings.hold_music})" if settings.hold_music else _HOLD_TONE
    text = text.replace("@HOLD@", hold).replace("@LONGEST_HOLD@", str(settings.longest_hold))
    text = text.replace("@GOODBYE@", _GOODBYE)
    return text.replace("@GATE@", settings.gate).replace("@SPOOL@", settings.spool).replace("@NOW@", _NOW)


def steps(section: Section) -> Iterator[Step]:
    """The priorities that Asterisk makes of a section's lines: `n` counted, labels and arguments parted."""
    extension, priority = "", 0
    for keyword, value in section.lines:
        if keyword == "exten":
            extension, value = value.split(",", 1)
        where, call = value.split(",", 1)
        number, _, label = where.partition("(")
        priority = int(number) if number.isdigit() else priority + 1
        application, _, data = call.partition("(")
        yield Step(extension, priority, label.rstrip(")"), application, data.removesuffix(")"))


def dialplan_settings(settings: Settings, pbx: str) -> DialplanSettings:
    """What the dialplan of that PBX depends on, from the service's own configuration. Raises NotFound."""
    for configured in settings.pbx:
        if configured.name == pbx:
            return DialplanSettings(
                gate=settings.gate.advertise,
                spool=configured.spool_pbx,
                emergency=settings.gate.emergency,
                pbx=configured.name,
                hold_music=settings.live_calls.hold_music,
                longest_hold=settings.live_calls.longest_hold_seconds,
            )
    raise NotFound(f"no [[pbx]] is named {pbx}")
