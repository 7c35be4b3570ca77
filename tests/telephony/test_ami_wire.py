"""Bytes to messages: however the network cuts them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.ami import wire
from telephony.ami.answers import Headers
from telephony.ami.wire import Framer
from tests.support.ami_owner import Heard, linked
from tests.support.ami_server import BANNER, AmiServer, message

TALK = (
    BANNER
    + message(Event="Newchannel", CallerIDName="王小明 😀 é", AccountCode="", Uniqueid="1.1")
    + message(Event="UserEvent", Say="关机: 空号")
    + message(Response="Success", Output="one: two", ActionID="7")
)
WHOLE = Framer().feed(TALK)


def fed(pieces: list[bytes]) -> list[Headers]:
    framer = Framer()
    return [parsed for piece in pieces for parsed in framer.feed(piece)]


def test_messages_are_read_with_every_header_also_the_empty_ones() -> None:
    assert WHOLE == [
        {"Event": "Newchannel", "CallerIDName": "王小明 😀 é", "AccountCode": "", "Uniqueid": "1.1"},
        {"Event": "UserEvent", "Say": "关机: 空号"},
        {"Response": "Success", "Output": "one: two", "ActionID": "7"},
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_text_cut_into_pieces_of_any_size_arrives_whole(size: int) -> None:
    assert fed([TALK[at : at + size] for at in range(0, len(TALK), size)]) == WHOLE


@given(st.sets(st.integers(0, len(TALK)), max_size=12))
def test_text_cut_anywhere_arrives_whole(cuts: set[int]) -> None:
    bounds = [0, *sorted(cuts), len(TALK)]
    assert fed([TALK[a:b] for a, b in itertools.pairwise(bounds)]) == WHOLE


def test_a_byte_that_is_no_text_is_marked_and_spoils_nothing_else() -> None:
    latin = b"Event: Newchannel\r\nCallerIDName: M\xfcller\r\nUniqueid: 1.1\r\n\r\n"
    assert fed([BANNER, latin]) == [{"Event": "Newchannel", "CallerIDName": "M\ufffdller", "Uniqueid": "1.1"}]


def test_a_header_that_comes_twice_keeps_both_values() -> None:
    assert fed([BANNER, b"Response: Success\r\nOutput: a\r\nOutput: b\r\n\r\n"]) == [
        {"Response": "Success", "Output": "a\nb"}
    ]


def test_empty_messages_and_stray_line_ends_are_passed_over() -> None:
    assert fed([BANNER, b"\r\n\r\n\r\n" + message(Event="Hold") + b"\r\n\r\n\r\n" + message(Event="Unhold")]) == [
        {"Event": "Hold"},
        {"Event": "Unhold"},
    ]


def test_what_is_no_manager_is_recognised_by_its_first_bytes() -> None:
    with pytest.raises(ValueError, match="no manager port"):
        Framer().feed(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(ValueError, match="no manager port"):
        Framer().feed(b"\x15\x03")


def test_a_message_without_an_end_is_given_up_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_MESSAGE", 1000)
    framer = Framer()
    framer.feed(BANNER)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        framer.feed(b"x" * 2000)


async def test_a_name_split_at_every_byte_arrives_whole_over_a_socket() -> None:
    heard = Heard()
    async with AmiServer() as server:
        server.chunk = 1
        async with linked(server.account(), heard) as link:
            await link.connected()
            await server.say(message(Event="Newchannel", CallerIDName="王小明 😀", Uniqueid="1.1"))
            await heard.until(lambda h: len(h.events) == 2)
    assert getattr(heard.events[1], "caller_name") == "王小明 😀"  # noqa: B009 - the event's type is not what is tested
