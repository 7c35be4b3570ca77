"""Which steps of a dialplan lead past the gate: tables of contexts, as ShowDialPlan gives them."""

import re
from collections.abc import Mapping

import pytest

from telephony.pbx_setup.patterns import expression, extension, literal, split
from telephony.pbx_setup.state import Contexts
from telephony.pbx_setup.ways import PAST, Dialplan, Endpoints, Way

ENDPOINTS = Endpoints(trunks=("carrier-a", "carrier-b"))


def running(text: str) -> Contexts:
    """A dialplan in the words of extensions.conf, as the PBX would show it."""
    contexts: dict[str, set[tuple[str, ...]]] = {}
    name = exten = ""
    priority = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, value = (part.strip() for part in line.partition("=>"))
        if section := re.fullmatch(r"\[(.+)\]", line):
            name = section[1]
            contexts.setdefault(name, set())
        elif word in ("include", "switch"):
            contexts[name].add(("", "", "", "", "", *((value, "") if word == "include" else ("", value)), ""))
        else:
            if word == "exten":
                exten, value = value.split(",", 1)
                priority = 0
            where, call = value.split(",", 1)
            number, _, label = where.partition("(")
            priority = int(number) if number.isdigit() else priority + 1
            application, _, data = call.partition("(")
            step = (exten, str(priority), label.rstrip(")"), application, data[:-1] if data else "", "", "", "")
            contexts[name].add(step)
    return {context: frozenset(entries) for context, entries in contexts.items()}


def ways(text: str, start: str = "phones", known: Mapping[str, str] | None = None) -> list[Way]:
    return Dialplan(running(text), ENDPOINTS, known or {}).ways_from(start)


ROUND = {
    "dialled by name": "exten => _9X.,1,Dial(PJSIP/${EXTEN:1}@carrier-a,60)",
    "the endpoint before the number": "exten => _9X.,1,Dial(PJSIP/carrier-a/sip:${EXTEN:1}@10.0.0.1)",
    "the second of several": "exten => _X.,1,Dial(PJSIP/1001&PJSIP/${EXTEN}@carrier-b)",
    "retried": "exten => _X.,1,RetryDial(beep,5,3,PJSIP/${EXTEN}@carrier-a)",
    "paged": "exten => _X.,1,Page(PJSIP/1001&PJSIP/${EXTEN}@carrier-a)",
    "originated": "exten => _X.,1,Originate(PJSIP/${EXTEN}@carrier-a,exten,phones,1001,1)",
    "executed": "exten => _X.,1,ExecIf($[1 = 1]?Dial(PJSIP/${EXTEN}@carrier-a))",
    "executed by name": "exten => _X.,1,Exec(Dial(PJSIP/${EXTEN}@carrier-a))",
    "by its contacts": "exten => _X.,1,Dial(${PJSIP_DIAL_CONTACTS(carrier-a)})",
    "by a number with the trunk in it": "exten => _X.,1,Dial(PJSIP/${EXTEN})",
    "by such a number behind a prefix": "exten => _7[0-9]!,1,Dial(PJSIP/1001&PJSIP/${EXTEN:1})",
    "by an extension named like it": "exten => carrier-a,1,Dial(PJSIP/${EXTEN})",
    "over another technology": "exten => _X.,1,Dial(IAX2/provider/${EXTEN})",
    "over a line": "exten => _X.,1,Dial(DAHDI/g0/${EXTEN})",
    "after other steps": "exten => _X.,1,NoOp()\nsame => n,Set(x=1)\nsame => n(out),Dial(PJSIP/${EXTEN}@carrier-a)",
    "included": "include => more\n[more]\ninclude => out\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)",
    "included at times": "include => out,09:00-17:00,mon-fri,*,*\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)",
    "gone to": "exten => _9.,1,Goto(out,${EXTEN:1},1)\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)",
    "gone to on a condition": (
        'exten => _X.,1,GotoIf($["${X}" = "a:b"]?out,${EXTEN},1:1)\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)'
    ),
    "gone to by label": "exten => _X.,1,GotoIf($[1]?go)\nsame => n,Hangup()\nsame => n(go),Dial(PJSIP/1@carrier-a)",
    "in a subroutine": "exten => _X.,1,Gosub(sub,s,1(${EXTEN}))\n[sub]\nexten => s,1,Dial(PJSIP/${ARG1}@carrier-a)",
    "in a macro": "exten => _X.,1,Macro(out,${EXTEN})\n[macro-out]\nexten => s,1,Dial(PJSIP/${ARG1}@carrier-a)",
    "by a Local channel": (
        "exten => _X.,1,Dial(PJSIP/1001&Local/${EXTEN}@out/n)\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)"
    ),
    "by a subroutine of Dial": (
        "exten => _X.,1,Dial(PJSIP/1001,30,tU(sub^a)b(x^s^1))\n"
        "[sub]\nexten => s,1,Dial(PJSIP/1@carrier-a)\n[x]\nexten => s,1,Return()"
    ),
    "by a transfer": (
        "exten => _X.,1,Set(__TRANSFER_CONTEXT=out)\nsame => n,Dial(PJSIP/1001)\n"
        "[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)"
    ),
    "by digits at a prompt": (
        "exten => 500,1,Goto(ivr,s,1)\n[ivr]\nexten => s,1,Background(menu)\nexten => _0X.,1,Dial(PJSIP/${EXTEN}@carrier-a)"
    ),
    "by an invalid extension": "exten => 500,1,Goto(ivr,9,1)\n[ivr]\nexten => i,1,Dial(PJSIP/1@carrier-a)",
    "by a feature of a call": (
        "exten => _X.,1,Set(__DYNAMIC_FEATURES=one#out)\n[features:out]\nexten => s,1,Dial(PJSIP/1@carrier-a)"
    ),
    "in a hang-up handler": (
        "exten => _X.,1,Set(CHANNEL(hangup_handler_push)=sub,s,1)\n[sub]\nexten => s,1,Dial(PJSIP/1@carrier-a)"
    ),
}


@pytest.mark.parametrize("text", ROUND.values(), ids=ROUND)
def test_a_way_to_a_trunk_is_found(text: str) -> None:
    certain = [way for way in ways(f"[phones]\n{text}") if way.trunk]
    assert len(certain) == 1, certain
    assert certain[0].path[0] == "phones"


INSIDE = {
    "phones call each other": "exten => _1XXX,1,Dial(PJSIP/${EXTEN},30)",
    "what is dialled is filtered": "exten => _X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN})})",
    "whoever has that very name": "exten => _X.,1,Dial(${PJSIP_DIAL_CONTACTS(${EXTEN})})",
    "it hands over to us": "exten => _9X.,1,Goto(ringfence-desk,${EXTEN:1},1)",
    "it includes ours": "include => ringfence-desk\n[ringfence-desk]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)",
    "the line behind cannot be reached": (
        "exten => _9X.,1,Goto(ringfence-desk,${EXTEN:1},1)\nsame => n,Dial(PJSIP/${EXTEN:1}@carrier-a)"
    ),
    "nothing comes back from our gate": (
        "exten => _9X.,1,Gosub(ringfence-desk,${EXTEN:1},1)\nsame => n,Dial(PJSIP/${EXTEN:1}@carrier-a)"
    ),
    "the extension gone to is another": (
        "exten => 500,1,Goto(shop,2,1)\n[shop]\nexten => 2,1,Dial(PJSIP/1002)\nexten => _9X.,1,Dial(PJSIP/1@carrier-a)"
    ),
    "nobody goes there": "exten => 1,1,NoOp()\n[out]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@carrier-a)",
    "an emergency number": "exten => 110,1,Gosub(ringfence-emergency,s,1(110))",
    "a conference": "exten => 8,1,ConfBridge(1)\nsame => n,Dial(ConfBridge/1)",
}


@pytest.mark.parametrize("text", INSIDE.values(), ids=INSIDE)
def test_what_stays_inside_or_passes_the_gate_is_no_way_round(text: str) -> None:
    assert ways(f"[phones]\n{text}") == []


UNCLEAR = {
    "a dial string in a variable": ("exten => _X.,1,Dial(${OUT},60)", "in a variable"),
    "an endpoint in a variable": ("exten => _X.,1,Dial(PJSIP/${EXTEN}@${TRUNK})", "in a variable"),
    "a context in a variable": ("exten => _X.,1,Goto(${WHERE},${EXTEN},1)", "in a variable"),
    "an old technology": ("exten => _X.,1,Dial(SIP/peer)", "only PJSIP"),
    "a program": ("exten => _X.,1,AGI(out.agi,${EXTEN})", "AGI program"),
    "a shell": ("exten => _X.,1,System(call ${EXTEN})", "program"),
    "an ARI application": ("exten => _X.,1,Stasis(out)", "ARI"),
    "a queue": ("exten => _X.,1,Queue(sales)", "queue"),
    "Lua": ("switch => Lua/default", "Lua/default"),
    "realtime": ("switch => Realtime/default@extensions", "Realtime"),
}


@pytest.mark.parametrize(("text", "why"), UNCLEAR.values(), ids=UNCLEAR)
def test_what_cannot_be_decided_is_told_as_such(text: str, why: str) -> None:
    [way] = ways(f"[phones]\n{text}")
    assert way.trunk is None
    assert why in way.why


def test_a_global_variable_is_looked_into() -> None:
    text = "[phones]\nexten => _9X.,1,Dial(${OUT}/${EXTEN:1})\nsame => n,Dial(PJSIP/${EXTEN}@${GLOBAL(BACK)})"
    found = ways(text, known={"OUT": "PJSIP/carrier-a", "BACK": "carrier-b"})
    assert [way.trunk for way in found] == ["carrier-a", "carrier-b"]


@pytest.mark.parametrize(
    "call",
    [
        "Gosub(ringfence-emergency,s,1(${EXTEN}))",
        "Gosub(ringfence-emergency,s,1(13800138000))",
        "Goto(ringfence-gate,s,20)",
        "Goto(ringfence-gate,s,anywhere)",
    ],
)
def test_our_own_dialplan_is_no_way_round_itself(call: str) -> None:
    [way] = ways(f"[phones]\nexten => _X.,1,{call}")
    assert way.trunk == PAST


def test_the_way_is_told_by_the_contexts_it_passes_and_what_it_dials() -> None:
    text = """
    [phones]
    include => local
    exten => _9X.,1,Goto(outside,${EXTEN:1},1)
    [local]
    exten => _1XXX,1,Dial(PJSIP/${EXTEN})
    [outside]
    exten => _0.,1,Dial(PJSIP/0086${EXTEN:1}@carrier-b,60)
    """
    [way] = ways(text)
    assert way.path == ("phones", "outside")
    assert str(way.spot) == "outside,_0.,1"
    assert (way.trunk, way.instead) == ("carrier-b", "Goto(ringfence-desk,0086${EXTEN:1},1)")


def test_a_dialplan_that_goes_round_in_circles_ends() -> None:
    text = "[phones]\ninclude => b\nexten => _X.,1,Goto(b,${EXTEN},1)\n[b]\ninclude => phones\nexten => 2,1,Goto(phones,3,1)"
    assert ways(text) == []


@pytest.mark.parametrize(
    ("pattern", "matches", "not_"),
    [
        ("_9NXX", "9234", "9134"),
        ("_[+0-9]X!", "+86", "86a1x"[:1]),
        ("_X.", "12", "1"),
        ("_1[1-3]5-55", "12555", "14555"),
        ("1001", "1001", "1002"),
        ("500/1001", "500", "1001"),
    ],
)
def test_patterns_match_as_asterisk_matches(pattern: str, matches: str, not_: str) -> None:
    assert extension(pattern).meets(literal(matches))
    assert not extension(pattern).meets(literal(not_))


def test_what_is_cut_off_an_extension_is_gone() -> None:
    spoken = expression("${EXTEN:2}", extension("_99[78]X"))
    assert spoken is not None
    assert spoken.meets(literal("71"))
    assert not spoken.meets(literal("9971"))
    assert expression("${ANY}", extension("_X.")) is None


def test_arguments_are_parted_outside_brackets_and_quotes_only() -> None:
    assert split('a,${F(b,c)},"d,e",[f,g],h', ",") == ["a", "${F(b,c)}", '"d,e"', "[f,g]", "h"]


def test_a_dialplan_beyond_all_measure_is_told_as_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telephony.pbx_setup.ways._MOST_COMPARED", 3)
    text = "[phones]\n" + "\n".join(f"exten => {number},1,Goto({number + 1},1)" for number in range(9))
    assert [way.why for way in ways(text)] == ["it is too large to be searched whole"]
