"""The archive's keys: made once, found again, wrapped under the master key, and gone for good when destroyed."""

import multiprocessing
from pathlib import Path

import pytest

from recordings.keyring import KeyDestroyed, KeyGroup, Keyring, KeyUnavailable

GROUP = KeyGroup("north/../ 银行", "recording", "2028-06")


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(master=tmp_path / "var" / "master.key", folder=tmp_path / "groups")


def test_an_objects_key_is_given_back_from_what_its_header_says(keyring: Keyring, tmp_path: Path) -> None:
    made = keyring.data_key(GROUP)
    again = Keyring(master=tmp_path / "var" / "master.key", folder=tmp_path / "groups")
    assert again.unwrap(made.key_id, made.wrapped) == made.key
    assert (tmp_path / "var" / "master.key").stat().st_mode & 0o777 == 0o600
    assert keyring.folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in keyring.folder.iterdir())


def test_objects_of_a_group_share_its_key_and_have_each_their_own(keyring: Keyring) -> None:
    first, second = keyring.data_key(GROUP), keyring.data_key(GROUP)
    assert first.key_id == second.key_id
    assert first.key != second.key
    others = [KeyGroup("south", "recording", "2028-06"), KeyGroup(GROUP.client, "unanswered", "2028-06"),
              KeyGroup(GROUP.client, "recording", "2028-07")]  # fmt: skip
    assert len({first.key_id} | {keyring.data_key(other).key_id for other in others}) == 4


def test_a_destroyed_key_opens_nothing_and_its_group_gets_another(keyring: Keyring) -> None:
    made, other = keyring.data_key(GROUP), keyring.data_key(KeyGroup("south", "recording", "2028-06"))
    assert keyring.destroy(made.key_id)
    assert not keyring.destroy(made.key_id)
    assert keyring.is_destroyed(made.key_id)
    with pytest.raises(KeyDestroyed):
        keyring.unwrap(made.key_id, made.wrapped)
    assert keyring.unwrap(other.key_id, other.wrapped) == other.key
    assert keyring.data_key(GROUP).key_id != made.key_id
    assert 'wrapped": null' in (keyring.folder / f"{made.key_id}.destroyed").read_text()


def test_the_bytes_of_a_destroyed_key_are_overwritten_where_they_were(keyring: Keyring) -> None:
    made = keyring.data_key(GROUP)
    path = keyring.folder / f"{made.key_id}.key"
    with path.open("rb") as held:
        before = held.read()
        keyring.destroy(made.key_id)
        held.seek(0)
        assert held.read() != before


@pytest.mark.parametrize("name", ["../master", "", "x", "0" * 24 + "-" + "0" * 8 + "\n"])
def test_only_ids_of_keys_name_files(keyring: Keyring, name: str) -> None:
    with pytest.raises(KeyUnavailable):
        keyring.unwrap(name, bytes(40))
    with pytest.raises(KeyUnavailable):
        keyring.destroy(name)


def test_another_or_a_lost_master_key_is_said_and_nothing_is_made_over(keyring: Keyring, tmp_path: Path) -> None:
    made = keyring.data_key(GROUP)
    master = tmp_path / "var" / "master.key"
    kept = master.read_text()
    master.unlink()
    with pytest.raises(KeyUnavailable, match="bring it back"):
        keyring.data_key(GROUP)
    assert not master.exists()
    master.write_text("00" * 32)
    master.chmod(0o600)
    with pytest.raises(KeyUnavailable, match="another master key"):
        keyring.unwrap(made.key_id, made.wrapped)
    master.write_text("no key")
    with pytest.raises(KeyUnavailable, match="32 bytes"):
        keyring.unwrap(made.key_id, made.wrapped)
    master.write_text(kept)
    assert keyring.unwrap(made.key_id, made.wrapped) == made.key


def test_a_master_key_that_others_may_read_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    keyring.data_key(GROUP)
    (tmp_path / "var" / "master.key").chmod(0o644)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        keyring.data_key(GROUP)


def _make(folder: Path) -> str:
    return Keyring(master=folder / "master.key", folder=folder / "groups").data_key(GROUP).key_id


def test_processes_at_once_make_one_master_key_and_one_group_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_make, [tmp_path] * 8))) == 1
