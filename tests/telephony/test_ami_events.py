"""AMI messages to typed events: on what a real Asterisk 22.10 said (captured/), and on what nobody should say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.ami.wire import BANNER, Framer
from telephony.ami_events import (
    AmiEvent,
    AttendedTransfer,
    BlindTransfer,
    BridgeEnter,
    BridgeLeave,
    ContactStatus,
    DBGetTreeResponse,
    DeviceStateChange,
    DialBegin,
    DialEnd,
    DialState,
    FullyBooted,
    Hangup,
    Hold,
    MixMonitorStart,
    MixMonitorStop,
    Newchannel,
    Newstate,
    OriginateResponse,
    Registry,
    Shutdown,
    Unhold,
    UserEvent,
    VarSet,
    parse,
)

CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> list[AmiEvent]:
    """The events we follow in what a PBX sent."""
    messages = Framer().feed(BANNER + b"11.0.0\r\n" + (CAPTURED / name).read_bytes())
    return [event for event in map(parse, messages) if event is not None]


def test_an_answered_call_reads_as_it_went() -> None:
    events = captured("answered.txt")
    agent, customer = "call-answered", "1795351168.1"
    agent_leg = ("PJSIP/1001-00000000", agent, agent)
    customer_leg = ("PJSIP/1002-00000001", customer, agent)
    assert events[0] == Newchannel(*agent_leg, "Down", "1001", "Desk 1001", "phones", "s")
    assert VarSet(*agent_leg, "RINGFENCE_CALL", agent) in events
    assert VarSet(*customer_leg, "RINGFENCE_CALL", agent) in events
    assert DialBegin("", "", "", *agent_leg, "1001") in events
    assert DialBegin(*agent_leg, *customer_leg, "1002") in events
    assert DialState(*agent_leg, *customer_leg, "RINGING") in events
    assert DialEnd(*agent_leg, *customer_leg, "ANSWER", "") in events
    assert OriginateResponse(agent, f"a1/{agent}", True, 4, "PJSIP/1001-00000000", agent) in events
    assert [event.members for event in events if isinstance(event, BridgeEnter)] == [1, 2]
    assert [event.members for event in events if isinstance(event, BridgeLeave)] == [1, 0]
    assert MixMonitorStart(*agent_leg) in events
    assert MixMonitorStop(*agent_leg) in events
    assert Hangup(*customer_leg, 16, "Normal Clearing", "", "Up") in events
    assert events.index(Hangup(*customer_leg, 16, "Normal Clearing", "", "Up")) < events.index(
        Hangup(*agent_leg, 16, "Normal Clearing", "", "Up")
    )
    assert [event.state for event in events if isinstance(event, Newstate) and event.uniqueid == customer] == [
        "Ringing",
        "Up",
    ]


def test_variables_of_others_are_no_events() -> None:
    assert {event.name for event in captured("answered.txt") if isinstance(event, VarSet)} == {"RINGFENCE_CALL"}


def test_what_our_dialplan_says_comes_with_its_own_headers() -> None:
    [said] = [event for event in captured("answered.txt") if isinstance(event, UserEvent)]
    assert said.name == "RingfenceGate"
    assert said.values["Say"] == "a: b 关机"
    assert parse({"Event": "UserEvent", "UserEvent": "SomebodyElse"}) is None


def test_a_busy_callee_shows_cause_and_sip_status() -> None:
    hangups = [event for event in captured("busy.txt") if isinstance(event, Hangup)]
    assert (hangups[0].cause, hangups[0].cause_txt, hangups[0].tech_cause) == (17, "User busy", "486")
    assert not any(isinstance(event, DialState) and event.uniqueid for event in captured("busy.txt"))


def test_an_originate_that_failed_is_told_by_our_id() -> None:
    responses = {event.channel_id: event for event in captured("failed.txt") if isinstance(event, OriginateResponse)}
    assert not responses["call-offline"].ok
    assert responses["call-offline"].reason == 0
    assert not responses["call-rings"].ok
    assert responses["call-rings"].reason == 3


def test_a_blind_transfer_says_who_sent_whom_where() -> None:
    assert captured("blind_transfer.txt") == [
        BlindTransfer(
            "PJSIP/1001-00000005",
            "call-transfer",
            "call-transfer",
            ok=True,
            transferee_channel="PJSIP/1002-00000006",
            transferee_uniqueid="1795351177.6",
            context="phones",
            extension="1003",
            external=True,
        )
    ]


def test_a_shutdown_says_whether_it_is_a_restart() -> None:
    assert captured("shutdown.txt") == [Shutdown(restart=False)]
    assert parse({"Event": "Shutdown", "Restart": "True"}) == Shutdown(restart=True)


LEG = {"Channel": "PJSIP/1-1", "Uniqueid": "u", "Linkedid": "l"}


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"Event": "Hold", **LEG}, Hold("PJSIP/1-1", "u", "l")),
        ({"Event": "Unhold", **LEG}, Unhold("PJSIP/1-1", "u", "l")),
        ({"Event": "DeviceStateChange", "Device": "PJSIP/1", "State": "INUSE"}, DeviceStateChange("PJSIP/1", "INUSE")),
        (
            {"Event": "ContactStatus", "EndpointName": "1", "AOR": "1-aor", "URI": "sip:1", "ContactStatus": "Removed"},
            ContactStatus("1", "1-aor", "sip:1", "Removed"),
        ),
        (
            {"Event": "Registry", "Username": "u", "Domain": "d", "Status": "Rejected", "Cause": "403"},
            Registry("u", "d", "Rejected", "403"),
        ),
        ({"Event": "FullyBooted", "Uptime": "12"}, FullyBooted(12)),
        ({"Event": "DBGetTreeResponse", "Key": "/ringfence/a", "Val": "1"}, DBGetTreeResponse("/ringfence/a", "1")),
        (
            {
                "Event": "AttendedTransfer",
                "Result": "Success",
                "OrigTransfererChannel": "A",
                "OrigTransfererUniqueid": "a",
                "OrigTransfererLinkedid": "al",
                "SecondTransfererChannel": "B",
                "SecondTransfererUniqueid": "b",
                "TransfereeUniqueid": "c",
                "TransferTargetUniqueid": "d",
                "TransferTargetChannel": "D",
                "DestType": "Bridge",
            },
            AttendedTransfer("A", "a", "al", True, "B", "b", "c", "d", "D", "Bridge"),
        ),
    ],
)
def test_an_event_carries_what_its_headers_say(message: dict[str, str], event: AmiEvent) -> None:
    assert parse(message) == event


def test_what_we_do_not_follow_is_none() -> None:
    assert parse({"Event": "TestEvent"}) is None
    assert parse({"Response": "Success"}) is None
    assert parse({}) is None


@pytest.mark.parametrize("cause", ["", "x", "-1", "1.5", "²", "9" * 5000])
def test_a_number_that_is_none_counts_as_zero(cause: str) -> None:
    hangup = parse({"Event": "Hangup", **LEG, "Cause": cause})
    assert isinstance(hangup, Hangup)
    assert hangup.cause == 0


KNOWN = st.sampled_from([kind.__name__ for kind in (Newchannel, Hangup, DialEnd, BridgeEnter, FullyBooted, VarSet)])
HEADER = st.sampled_from(["Channel", "Uniqueid", "Cause", "BridgeNumChannels", "Uptime", "Variable", "ActionID"])


@given(KNOWN, st.dictionaries(HEADER, st.text()))
def test_no_message_however_odd_is_an_error(kind: str, headers: dict[str, str]) -> None:
    parse({**headers, "Event": kind})
