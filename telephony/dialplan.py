"""Our dialplan, as text: how a collector's leg, a customer's leg and a number typed on a desk phone pass the gate.

Pure: parameters in, sections out; `telephony/pbx_config.py` writes them to the PBX. docs/dialplan.md draws the way of a leg.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config.errors import NotFound
from config.settings import Settings

FILE = "ringfence.conf"
"""Our own file in the PBX's configuration folder; the admin's extensions.conf only includes it."""
FAMILY = "ringfence"
"""The AstDB family that holds what the PBX wrote down for us."""
CLICK, DESK, GATE, PROBE = "ringfence-click", "ringfence-desk", "ringfence-gate", "ringfence-probe"
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
    emergency_trunks: Sequence[str] = ()
    """PJSIP endpoints tried in order for those numbers while AstDB `ringfence/emergency-trunks` names none."""

    def __post_init__(self) -> None:
        shapes: list[tuple[str, str]] = [(self.gate, r"[A-Za-z0-9.\-]+:\d{1,5}"), (self.spool, r"(/[A-Za-z0-9._\-]+)+")]
        shapes += [(number, r"\d{2,6}") for number in self.emergency]
        shapes += [(endpoint, r"[A-Za-z0-9_.\-]+") for endpoint in self.emergency_trunks]
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


# A verdict serves one Dial: it is emptied before the gate is asked and again once read, and the dial string as soon as Dial
# has it, so that no pass lives on an older one, not even when a reload moves a living channel to another line.
# AGI's status is not looked at: a gate that accepts and closes gives SUCCESS. Absolute time is the only limit that ends
# an AGI() whose peer stays silent, and without AGIEXITONHANGUP the late answer would still count.
# Option i: a carrier that answers 302 would otherwise be dialled on, by a Local channel, to a number nobody allowed.
_NOW = "${STRFTIME(,UTC,%Y-%m-%dT%H:%M:%S.%3qZ)}"
_CONTEXTS = r"""
[ringfence-click]
exten => s,1,Set(__RINGFENCE_CALL=${FILTER(0-9a-zA-Z,${RINGFENCE_CALL})})
same => n,GotoIf($[${LEN(${RINGFENCE_CALL})} = 0]?ringfence-refuse,ticket,1)
same => n,Set(__TRANSFER_CONTEXT=ringfence-desk)
same => n,Gosub(ringfence-leg,s,1(agent))
same => n,Gosub(ringfence-gate,s,1())
same => n,Hangup()

[ringfence-gate]
exten => s,1,Set(RINGFENCE_VERDICT=)
same => n,Set(RINGFENCE_DIAL=)
same => n,Set(RINGFENCE_CALLERID=)
same => n,Set(RINGFENCE_RING=)
same => n,Set(RINGFENCE_PROMPT=)
same => n,Set(RINGFENCE_LEG=)
same => n,Set(RINGFENCE_ANNOUNCE=)
same => n,Set(AGIEXITONHANGUP=yes)
same => n,Set(TIMEOUT(absolute)=2)
same => n,AGI(agi://@GATE@/gate,${RINGFENCE_CALL},${ARG1})
same => n,Set(TIMEOUT(absolute)=0)
same => n,Set(verdict=${FILTER(a-z,${RINGFENCE_VERDICT})})
same => n,Set(RINGFENCE_VERDICT=)
same => n,GotoIf($["${verdict}" = "deny"]?ringfence-refuse,denied,1)
same => n,GotoIf($["${verdict}" != "allow"]?ringfence-refuse,silent,1)
same => n,Set(dial=${FILTER(0-9a-zA-Z+@/_.\x2D,${RINGFENCE_DIAL})})
same => n,Set(ring=${FILTER(0-9,${RINGFENCE_RING})})
same => n,GotoIf($[${LEN(${dial})} = 0 | ${LEN(${dial})} != ${LEN(${RINGFENCE_DIAL})} | 0${ring} = 0]?ringfence-refuse,malformed,1)
same => n,ExecIf($[${LEN(${RINGFENCE_CALL})} = 0]?Set(__RINGFENCE_CALL=${FILTER(0-9a-zA-Z,${RINGFENCE_LEG})}))
same => n,GotoIf($[${LEN(${RINGFENCE_CALL})} = 0]?ringfence-refuse,malformed,1)
same => n,ExecIf($[${LEN(${RINGFENCE_ROLE})} = 0]?Gosub(ringfence-leg,s,1(agent)))
same => n,Set(__RINGFENCE_ANNOUNCE=${FILTER(0-9a-zA-Z:/_.?=%\x2D,${RINGFENCE_ANNOUNCE})})
same => n,Set(CALLERID(name)=)
same => n,Set(CALLERID(num)=${FILTER(0-9+,${RINGFENCE_CALLERID})})
same => n,Set(DB(ringfence/gate/${RINGFENCE_CALL})=at=@NOW@,trunk=${CUT(dial,@,2)},agent=${UNIQUEID})
same => n,Dial(${dial},${ring},B(ringfence-spent^s^1)b(ringfence-leg^s^1(customer))U(ringfence-announce)gi)
same => n,Goto(ringfence-after,${DIALSTATUS},1)
exten => T,1,Goto(ringfence-refuse,late,1)

[ringfence-spent]
exten => s,1,Set(dial=)
same => n,Return()

[ringfence-leg]
exten => s,1,Set(RINGFENCE_ROLE=${ARG1})
same => n,Set(RINGFENCE_KEY=${RINGFENCE_CALL}/${ARG1}/${UNIQUEID})
same => n,Set(RINGFENCE_STARTED=@NOW@)
same => n,Set(CHANNEL(hangup_handler_push)=ringfence-ended,s,1)
same => n,UserEvent(RingfenceLeg,Call: ${RINGFENCE_CALL},Role: ${ARG1})
same => n,MixMonitor(@SPOOL@/${RINGFENCE_CALL}.${ARG1}.${UNIQUEID}.raw,D)
same => n,Return()

[ringfence-announce]
exten => s,1,Set(RINGFENCE_ANSWERED=@NOW@)
same => n,GotoIf($[${LEN(${RINGFENCE_ANNOUNCE})} = 0]?done)
same => n,Playback(${RINGFENCE_ANNOUNCE})
same => n,Set(RINGFENCE_ANNOUNCED=${PLAYBACKSTATUS})
same => n(done),Return()

[ringfence-ended]
exten => s,1,Set(tech=${FILTER(0-9a-zA-Z \x2D,${HANGUPCAUSE(${CHANNEL(name)},tech)})})
same => n,Set(facts=ended=@NOW@,cause=${HANGUPCAUSE},tech=${tech:0:32},state=${CHANNEL(state)},started=${RINGFENCE_STARTED})
same => n,GotoIf($["${RINGFENCE_ROLE}" = "agent"]?agent)
same => n,Set(facts=${facts},answered=${RINGFENCE_ANSWERED},announced=${RINGFENCE_ANNOUNCED})
same => n,Goto(write)
same => n(agent),Set(facts=${facts},dial=${DIALSTATUS},ring_ms=${RINGTIME_MS},progress_ms=${PROGRESSTIME_MS},why=${RINGFENCE_WHY})
same => n(write),Set(DB(ringfence/leg/${RINGFENCE_KEY})=${facts})
same => n,Return()

[ringfence-after]
exten => ANSWER,1,Hangup(16)
exten => BUSY,1,PlayTones(480+620/500,0/500)
same => n,Wait(2)
same => n,Hangup(17)
exten => NOANSWER,1,PlayTones(480+620/500,0/500)
same => n,Wait(1)
same => n,Hangup(19)
exten => CANCEL,1,Hangup(16)
exten => CONGESTION,1,PlayTones(480+620/250,0/250)
same => n,Wait(2)
same => n,Hangup(34)
exten => i,1,Goto(CONGESTION,1)

[ringfence-refuse]
exten => denied,1,Set(RINGFENCE_WHY=denied)
same => n,Set(prompt=${FILTER(0-9a-zA-Z:/_.?=%\x2D,${RINGFENCE_PROMPT})})
same => n,Goto(s,1)
exten => silent,1,Set(RINGFENCE_WHY=silent)
same => n,Goto(later,1)
exten => late,1,Set(RINGFENCE_WHY=late)
same => n,Goto(later,1)
exten => malformed,1,Set(RINGFENCE_WHY=malformed)
same => n,Goto(later,1)
exten => ticket,1,Set(RINGFENCE_WHY=ticket)
same => n,Goto(s,1)
exten => later,1,Set(prompt=im-sorry&please-try-call-later)
same => n,Goto(s,1)
exten => s,1,Set(TIMEOUT(absolute)=20)
same => n,Progress()
same => n,ExecIf($[${LEN(${prompt})} > 0]?Playback(${prompt},noanswer))
same => n,PlayTones(480+620/250,0/250)
same => n,Wait(2)
same => n,Hangup(21)
exten => T,1,Hangup(21)

[ringfence-desk]
@EMERGENCY@exten => _[+0-9]X!,1,Set(typed=${FILTER(0-9+,${EXTEN})})
same => n,GotoIf($[${LEN(${typed})} != ${LEN(${EXTEN})}]?ringfence-refuse,malformed,1)
same => n,GotoIf($[${LEN(${typed})} > 6 | "${DEVICE_STATE(PJSIP/${typed})}" = "INVALID"]?outside)
same => n,Dial(PJSIP/${typed},60,i${IF($[${LEN(${RINGFENCE_CALL})} > 0]?b(ringfence-leg^s^1(agent)):)})
same => n,Goto(ringfence-after,${DIALSTATUS},1)
same => n(outside),Set(__RINGFENCE_CALL=)
same => n,Gosub(ringfence-gate,s,1(${typed}))
same => n,Hangup()

[ringfence-emergency]
exten => s,1,Set(__RINGFENCE_CALL=emergency${FILTER(0-9,${UNIQUEID})})
same => n,Set(from=${CHANNEL(endpoint)})
same => n,Set(trunks=${DB(ringfence/emergency-trunks)})
same => n,ExecIf($[${LEN(${trunks})} = 0]?Set(trunks=@TRUNKS@))
same => n,Set(DB(ringfence/emergency/${UNIQUEID})=at=@NOW@,number=${ARG1},from=${from},call=${RINGFENCE_CALL})
same => n,Gosub(ringfence-leg,s,1(agent))
same => n(next),Set(trunk=${SHIFT(trunks)})
same => n,GotoIf($[${LEN(${trunk})} = 0]?ringfence-after,CONGESTION,1)
same => n,Dial(PJSIP/${ARG1}@${trunk},60,b(ringfence-leg^s^1(customer))U(ringfence-announce)g)
same => n,GotoIf($["${DIALSTATUS}" = "ANSWER"]?ringfence-after,ANSWER,1)
same => n,Goto(next)

[ringfence-probe]
exten => gate,1,Set(RINGFENCE_VERDICT=)
same => n,Set(AGIEXITONHANGUP=yes)
same => n,Set(TIMEOUT(absolute)=2)
same => n,AGI(agi://@GATE@/probe,${RINGFENCE_TOKEN})
same => n,Set(TIMEOUT(absolute)=0)
same => n,Set(DB(ringfence/probe/${RINGFENCE_TOKEN})=${FILTER(a-z,${RINGFENCE_VERDICT})})
same => n,Hangup()
exten => T,1,Set(DB(ringfence/probe/${RINGFENCE_TOKEN})=late)
same => n,Hangup()
exten => spool,1,Answer()
same => n,MixMonitor(@SPOOL@/probe-${RINGFENCE_TOKEN}.raw,D)
same => n,Wait(0.5)
same => n,StopMixMonitor()
same => n,Wait(0.2)
same => n,Set(DB(ringfence/probe/${RINGFENCE_TOKEN})=${STAT(s,@SPOOL@/probe-${RINGFENCE_TOKEN}.raw)})
same => n,Hangup()
exten => tone,1,Answer()
same => n,PlayTones(1000)
same => n,Wait(10)
same => n,Hangup()
"""


def sections(settings: DialplanSettings) -> tuple[Section, ...]:
    """Every context of our file, in its order."""
    found: list[Section] = []
    for block in re.split(r"(?m)^\[", _text(settings))[1:]:
        name, *lines = block.splitlines()
        pairs = (line.split(" => ", 1) for line in lines if line)
        found.append(Section(name.rstrip("]"), tuple((keyword, value) for keyword, value in pairs)))
    return tuple(found)


def _text(settings: DialplanSettings) -> str:
    emergency = "".join(
        f"exten => {number},1,Gosub(ringfence-emergency,s,1({number}))\n" for number in settings.emergency
    )
    text = _CONTEXTS.replace("@EMERGENCY@", emergency).replace("@TRUNKS@", ",".join(settings.emergency_trunks))
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
                gate=settings.gate.advertise, spool=configured.spool_pbx, emergency=settings.gate.emergency
            )
    raise NotFound(f"no [[pbx]] is named {pbx}")
