"""Actions over an AMI link, over real sockets: an answer, an error or `unknown`; never twice, never a guess."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from config.errors import Invalid
from telephony.ami import AmiLink, AnswerUnknown, LinkState, PbxUnavailable
from telephony.ami_events import OriginateResponse
from tests.support.ami_owner import Heard, linked
from tests.support.ami_server import Action, AmiServer, error, message, success


@dataclass
class Pair:
    server: AmiServer
    link: AmiLink
    heard: Heard

    async def originate(self, channel_id: str = "call-1", **changed: object) -> object:
        given: dict[str, object] = {"endpoint": "PJSIP/1001", "context": "ringfence-agent", "extension": "s"}
        return await self.link.originate(channel_id=channel_id, **{**given, **changed})  # type: ignore[arg-type]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    heard = Heard()
    async with AmiServer() as server, linked(server.account(), heard) as link:
        await link.connected()
        yield Pair(server, link, heard)


async def test_an_action_ends_in_its_answer(pair: Pair) -> None:
    answer = await pair.link.send("Hangup", {"Channel": "PJSIP/1001-00000001"})
    assert answer.ok
    assert answer.message == "Hangup done"
    assert answer.action_id == pair.server.named("Hangup")[0]["ActionID"]


async def test_an_action_that_the_pbx_refuses_ends_in_its_error(pair: Pair) -> None:
    pair.server.answers["Hangup"] = lambda action: error(action, "No such channel")
    answer = await pair.link.send("Hangup", {"Channel": "PJSIP/1001-00000001"})
    assert not answer.ok
    assert answer.message == "No such channel"


async def test_an_action_without_an_answer_is_unknown(pair: Pair) -> None:
    pair.server.answers["Hangup"] = None
    with pytest.raises(AnswerUnknown, match="Hangup was sent, but not answered within") as unknown:
        await pair.link.send("Hangup", {"Channel": "PJSIP/1001-00000001"}, timeout=0.1)
    assert unknown.value.code == "pbx-answer-unknown"
    assert pair.link.state is LinkState.UP


async def test_an_action_whose_link_breaks_is_unknown_at_once(pair: Pair) -> None:
    pair.server.answers["Hangup"] = None
    hanging_up = asyncio.create_task(pair.link.send("Hangup", {"Channel": "PJSIP/1001-00000001"}, timeout=60))
    await pair.server.got("Hangup")
    pair.server.hang_up()
    with pytest.raises(AnswerUnknown, match="the link was lost before the answer"):
        await hanging_up


async def test_an_unanswered_originate_is_never_sent_again(pair: Pair) -> None:
    pair.server.answers["Originate"] = None
    dialling = asyncio.create_task(pair.originate())
    await pair.server.got("Originate")
    pair.server.hang_up()
    with pytest.raises(AnswerUnknown):
        await dialling
    await pair.heard.until(lambda h: h.states.count(LinkState.UP) == 2)
    assert (await pair.link.send("Ping")).ok
    pair.server.hang_up()
    await pair.heard.until(lambda h: h.states.count(LinkState.UP) == 3)
    assert (await pair.link.send("Ping")).ok
    assert len(pair.server.named("Originate")) == 1


async def test_an_originate_for_a_link_that_is_down_is_not_sent_later(pair: Pair) -> None:
    await pair.server.stop()
    await pair.heard.until(lambda h: LinkState.DOWN in h.states)
    with pytest.raises(PbxUnavailable):
        await pair.originate()
    await pair.server.listen()
    await pair.heard.until(lambda h: h.states.count(LinkState.UP) == 2)
    assert (await pair.link.send("Ping")).ok
    assert pair.server.named("Originate") == []


async def test_nothing_is_written_to_a_pbx_that_does_not_read(pair: Pair) -> None:
    pair.server.stop_reading()
    text = {f"H{n}": "x" * 900 for n in range(100)}
    outcomes: list[type[Exception]] = []
    while PbxUnavailable not in outcomes:
        with pytest.raises((AnswerUnknown, PbxUnavailable)) as outcome:
            await pair.link.send("UserEvent", {"UserEvent": "Fill", **text}, timeout=0.001)
        outcomes.append(outcome.type)
    assert set(outcomes[:-1]) == {AnswerUnknown}


async def test_a_late_answer_reaches_nobody_and_harms_nothing(pair: Pair) -> None:
    pair.server.answers["Hangup"] = None
    with pytest.raises(AnswerUnknown):
        await pair.link.send("Hangup", {"Channel": "PJSIP/1001-00000001"}, timeout=0.05)
    [late] = pair.server.named("Hangup")
    await pair.server.say(success(late, Message="too late"))
    answer = await pair.link.send("Status")
    assert answer.message == "Status done"


async def test_an_answer_that_comes_twice_counts_once(pair: Pair) -> None:
    pair.server.answers["Status"] = lambda action: success(action, Message="first") + error(action, "second")
    assert (await pair.link.send("Status")).message == "first"
    assert (await pair.link.send("Ping")).ok


async def test_an_answer_to_somebody_else_is_not_taken(pair: Pair) -> None:
    pair.server.answers["Status"] = lambda action: (
        success({"ActionID": "of-another"}, Message="not yours") + message(Response="Success", Message="nobody's")
    )
    with pytest.raises(AnswerUnknown):
        await pair.link.send("Status", timeout=0.1)


async def test_racing_actions_neither_mix_on_the_wire_nor_in_their_answers(pair: Pair) -> None:
    pair.server.answers["Getvar"] = lambda action: success(action, Value=action["Variable"])
    names = [f"V{n}" for n in range(200)]
    answers = await asyncio.gather(*(pair.link.send("Getvar", {"Variable": name}) for name in names))
    assert [answer.fields["Value"] for answer in answers] == names
    assert len({action["ActionID"] for action in pair.server.received}) == len(pair.server.received)


async def test_answers_out_of_order_find_their_actions(pair: Pair) -> None:
    held: list[Action] = []
    pair.server.answers["Getvar"] = lambda action: held.append(action) or b""  # type: ignore[func-returns-value]
    asking = [asyncio.create_task(pair.link.send("Getvar", {"Variable": name})) for name in ("A", "B", "C")]
    await pair.server.got("Getvar", 3)
    for action in reversed(held):
        await pair.server.say(success(action, Value=action["Variable"]))
    assert [(await answer).fields["Value"] for answer in asking] == ["A", "B", "C"]


async def test_a_list_gathers_its_entries_until_it_is_complete(pair: Pair) -> None:
    def listing(action: Action) -> bytes:
        its = {"ActionID": action["ActionID"]}
        return (
            success(action, EventList="start", Message="Result will follow")
            + message(Event="DBGetTreeResponse", Key="/ringfence/a", Val="1", **its)
            + message(Event="Hangup", Uniqueid="between", Cause="16")
            + message(Event="DBGetTreeResponse", Key="/ringfence/b", Val="2", **its)
            + message(Event="DBGetTreeComplete", EventList="Complete", ListItems="2", **its)
        )

    pair.server.answers["DBGetTree"] = listing
    answer = await pair.link.send("DBGetTree", {"Family": "ringfence"})
    assert [entry["Key"] for entry in answer.events] == ["/ringfence/a", "/ringfence/b"]
    assert [getattr(event, "uniqueid", "") for event in pair.heard.events] == ["", "between"]


async def test_a_list_cut_short_is_unknown_and_not_a_shorter_list(pair: Pair) -> None:
    pair.server.answers["DBGetTree"] = lambda action: (
        success(action, EventList="start")
        + message(Event="DBGetTreeResponse", Key="/a", Val="1", ActionID=action["ActionID"])
    )
    with pytest.raises(AnswerUnknown):
        await pair.link.send("DBGetTree", {"Family": "ringfence"}, timeout=0.1)


async def test_a_command_gives_its_lines(pair: Pair) -> None:
    pair.server.answers["Command"] = lambda action: (
        f"Response: Success\r\nActionID: {action['ActionID']}\r\nOutput: one\r\nOutput: \r\nOutput: three\r\n\r\n"
    ).encode()
    assert (await pair.link.command("core show uptime")).output == ["one", "", "three"]
    assert pair.server.named("Command")[0]["Command"] == "core show uptime"


async def test_a_caller_who_gives_up_leaves_nothing_behind(pair: Pair) -> None:
    pair.server.answers["Status"] = None
    asking = asyncio.create_task(pair.link.send("Status"))
    [sent] = await pair.server.got("Status")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await pair.server.say(success(sent))
    assert (await pair.link.send("Ping")).ok


async def test_an_originate_says_what_shall_ring_and_where_it_goes(pair: Pair) -> None:
    await pair.originate(
        variables={"__RINGFENCE_CALL": "call-1", "PJSIP_HEADER(add,Alert-Info)": "<http://x>;info=alert-autoanswer"},
        caller_id="+8613900000001",
        caller_name="案件 17",
        timeout_s=25,
    )
    [sent] = pair.server.named("Originate")
    assert sent.pop("ActionID").endswith("/call-1")
    assert sent == {
        "Action": "Originate",
        "Async": "true",
        "CallerID": '"案件 17" <+8613900000001>',
        "Channel": "PJSIP/1001",
        "ChannelId": "call-1",
        "Context": "ringfence-agent",
        "Exten": "s",
        "Priority": "1",
        "Timeout": "25000",
        "Variable": "__RINGFENCE_CALL=call-1\nPJSIP_HEADER(add,Alert-Info)=<http://x>;info=alert-autoanswer",
    }


async def test_how_an_originate_went_reaches_us_also_if_there_was_no_channel(pair: Pair) -> None:
    await pair.originate()
    [sent] = pair.server.named("Originate")
    await pair.server.say(
        message(Event="OriginateResponse", ActionID=sent["ActionID"], Response="Failure", Reason="0", Uniqueid="<null>")
    )
    await pair.heard.until(lambda h: len(h.events) == 2)
    assert pair.heard.events[1] == OriginateResponse("call-1", sent["ActionID"], False, 0, "", "")


async def test_how_an_originate_went_reaches_us_even_before_the_originate_is_answered(pair: Pair) -> None:
    pair.server.answers["Originate"] = lambda action: (
        message(
            Event="OriginateResponse", ActionID=action["ActionID"], Response="Success", Reason="4", Uniqueid="call-1"
        )
        + success(action, Message="Originate successfully queued")
    )
    assert getattr(await pair.originate(), "ok")  # noqa: B009 - typed loosely on purpose
    assert getattr(pair.heard.events[1], "ok")  # noqa: B009


HARMLESS = {"Login", "CoreSettings", "Ping"}
"""What the link sends by itself."""

LINE_BREAKS = ["1\r\nAction: Originate", "1\nx", "1\r", "1\x00", "\x0b1", "\x7f"]


@pytest.mark.parametrize("value", LINE_BREAKS)
async def test_a_line_break_is_refused_before_the_wire(pair: Pair, value: str) -> None:
    for action, fields in [
        ("UserEvent", {"UserEvent": value}),
        ("DBPut", {"Family": "ringfence", "Key": "k", "Val": ["fine", value]}),
        ("Command", {"Command": value}),
        ("Status", {f"Head{value}": "x"}),
        (f"Status{value}", {}),
    ]:
        with pytest.raises(Invalid):
            await pair.link.send(action, fields)  # type: ignore[arg-type]  # str and list mixed
    with pytest.raises(Invalid):
        await pair.link.command(f"core show uptime{value}")
    await pair.link.send("Ping")
    assert {action["Action"] for action in pair.server.received} <= HARMLESS


METACHARACTERS = ["&", ",", "${X}", "$[1]", "(", '"', "'", "\\", "|", "\r\n", "`", "^", "\u2028", "？", "{"]


@pytest.mark.parametrize("character", METACHARACTERS)
async def test_dialplan_metacharacters_are_refused_before_the_wire(pair: Pair, character: str) -> None:
    value = f"PJSIP/1001{character}PJSIP/110"
    for changed in (
        {"channel_id": f"call{character}1"},
        {"endpoint": value},
        {"context": f"phones{character}"},
        {"extension": f"1001{character}"},
        {"variables": {"RINGFENCE_NUMBER": f"1{character}2"}},
        {"variables": {f"RINGFENCE{character}": "1"}},
        {"caller_id": f"1001{character}"},
        {"caller_name": f"a{character}b"},
    ):
        with pytest.raises(Invalid):
            await pair.originate(**changed)
    for action, fields in [
        ("Redirect", {"Channel": "PJSIP/1001-1", "Context": "phones", "Exten": f"1{character}", "Priority": "1"}),
        ("Redirect", {"Channel": "PJSIP/1001-1", "ExtraChannel": value, "ExtraContext": "a", "ExtraExten": "1"}),
        ("Bridge", {"Channel1": "PJSIP/1001-1", "Channel2": value}),
        ("Setvar", {"Channel": "PJSIP/1001-1", "Variable": "X", "Value": f"1{character}"}),
        ("BlindTransfer", {"Channel": "PJSIP/1001-1", "Context": f"a{character}", "Exten": "1"}),
    ]:
        with pytest.raises(Invalid):
            await pair.link.send(action, fields)
    await pair.link.send("Ping")
    assert {action["Action"] for action in pair.server.received} <= HARMLESS


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("Hangup", {"Channel": "/^PJSIP/"}),  # a regular expression: everybody's call
        ("MixMonitor", {"Channel": "PJSIP/1001-1", "File": "a.wav", "Command": "rm -rf /"}),
        ("MixMonitor", {"Channel": "PJSIP/1001-1", "File": "a.wav,,rm -rf /"}),
        ("MixMonitor", {"Channel": "PJSIP/1001-1", "File": "a.wav", "Options": "b,rm -rf /"}),
        ("MixMonitor", {"Channel": "PJSIP/1001-1", "File": "../../etc/a.wav"}),
        ("Getvar", {"Variable": "SHELL(id)"}),
        ("Status", {"Variables": "X,SHELL(id)"}),
        ("Setvar", {"Variable": "CURL(http://x)", "Value": "1"}),
        ("Originate", {"Channel": "PJSIP/1001"}),
        ("Login", {"Username": "x"}),
        ("Events", {"EventMask": "off"}),
        ("Status", {"ActionID": "mine"}),
        ("Status", {"actionid": "mine"}),
        ("Status", {"Action": "Originate"}),
        ("UserEvent", {"UserEvent": "x" * 1001}),
        ("UserEvent", {"UserEvent": "\ud800"}),
        ("UserEvent", {f"H{n}": "x" for n in range(130)}),
    ],
)
async def test_what_would_do_more_than_it_says_is_refused_before_the_wire(
    pair: Pair, action: str, fields: dict[str, str]
) -> None:
    with pytest.raises(Invalid):
        await pair.link.send(action, fields)
    await pair.link.send("Status")
    assert pair.server.named(action) in ([], pair.server.named("Status")[-1:], pair.server.named("Login")[:1])


async def test_what_the_dialplan_needs_may_still_be_written_as_configuration(pair: Pair) -> None:
    dial = "exten => _X.,1,Dial(PJSIP/${EXTEN}@trunk,30,b(hook^s^1))"
    fields = {"SrcFilename": "ringfence.conf", "Action-000000": "Append", "Cat-000000": "gate", "Value-000000": dial}
    assert (await pair.link.send("UpdateConfig", fields)).ok
    assert pair.server.named("UpdateConfig")[0]["Value-000000"] == dial


async def test_a_recording_may_be_started_with_its_file_and_options(pair: Pair) -> None:
    fields = {"Channel": "PJSIP/1001-1", "File": "/var/spool/asterisk/monitor/c-1/agent.wav", "Options": "bDr(a.raw)"}
    assert (await pair.link.send("MixMonitor", fields)).ok


async def test_a_refusal_does_not_repeat_the_value(pair: Pair) -> None:
    with pytest.raises(Invalid) as refusal:
        await pair.link.send("UserEvent", {"UserEvent": "top-secret\r\nX: 1"})
    assert "top-secret" not in f"{refusal.value} {refusal.value.members}"
    assert refusal.value.members["errors"] == [
        {"field": "UserEvent", "message": "holds a line break or another control character"}
    ]


@pytest.mark.parametrize("timeout_s", [0, -1, 601, float("nan")])
async def test_a_ringing_time_out_of_range_is_refused(pair: Pair, timeout_s: float) -> None:
    with pytest.raises(Invalid):
        await pair.originate(timeout_s=timeout_s)
