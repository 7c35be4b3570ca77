"""Slots keep instances out of each other's folders and ports."""

import socket
from pathlib import Path

import pytest

from crm_bridge.demo import slot as slots
from crm_bridge.demo.asterisk_root import RootUnavailable
from crm_bridge.demo.slot import take_slot


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "srv").mkdir()
    return tmp_path


def test_two_slots_share_neither_folder_nor_port(root: Path) -> None:
    one, two = take_slot(root), take_slot(root)
    try:
        assert one.folder != two.folder
        assert one.rtp_ports[1] < two.sip_port
    finally:
        one.release()
        two.release()


def test_a_released_slot_can_be_taken_again_and_is_empty(root: Path) -> None:
    one = take_slot(root)
    (one.folder / "leftover").touch()
    one.release()
    again = take_slot(root)
    assert (again.number, list(again.folder.iterdir())) == (one.number, [])
    again.release()


def test_what_a_dead_owner_left_is_cleared(root: Path) -> None:
    free = take_slot(root)
    free.release()
    (free.folder / "spool").mkdir(parents=True)
    again = take_slot(root)
    assert list(again.folder.iterdir()) == []
    again.release()


def test_a_slot_whose_port_is_in_use_outside_the_lab_is_passed_over(root: Path) -> None:
    first = take_slot(root)
    first.release()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", first.sip_port))
        second = take_slot(root)
    assert second.number > first.number
    second.release()


def test_with_every_slot_taken_it_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "SLOTS", 0)
    with pytest.raises(RootUnavailable, match="in use"):
        take_slot(root)
