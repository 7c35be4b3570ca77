"""Secrets in the database: they open for what they were sealed for, under the key that sealed them, and for nothing else."""

from pathlib import Path

import pytest

from config.sealing import Seal, SealBroken
from config.settings import Keys

SECRET = "s;cr\\et €"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Key files that do not exist yet."""
    return Keys(master=tmp_path / "keys" / "master.key")


def test_a_sealed_secret_opens_again_and_does_not_show(keys: Keys) -> None:
    seal = Seal(keys, "trunks")
    sealed = seal.close(SECRET, "acme")
    assert Seal(keys, "trunks").open(sealed, "acme") == SECRET
    assert SECRET not in sealed
    assert sealed != seal.close(SECRET, "acme")
    assert keys.master.stat().st_mode & 0o777 == 0o600


def test_a_sealed_secret_opens_for_nothing_else(keys: Keys, tmp_path: Path) -> None:
    sealed = Seal(keys, "trunks").close(SECRET, "acme")
    other = Keys(master=tmp_path / "other" / "master.key")
    for seal, of in (
        (Seal(keys, "trunks"), "other"),
        (Seal(keys, "webhooks"), "acme"),
        (Seal(other, "trunks"), "acme"),
    ):
        with pytest.raises(SealBroken):
            seal.open(sealed, of)
    for damaged in ("sealed1:!!", "sealed1:", sealed[:-6] + "AAAAA=", "plain"):
        with pytest.raises(SealBroken):
            Seal(keys, "trunks").open(damaged, "acme")


def test_a_key_that_others_may_read_or_that_is_gone_is_not_used(keys: Keys) -> None:
    sealed = Seal(keys, "trunks").close(SECRET, "acme")
    keys.master.chmod(0o644)
    with pytest.raises(SealBroken, match="chmod"):
        Seal(keys, "trunks").open(sealed, "acme")
    keys.master.unlink()
    keys.group_keys.mkdir()
    (keys.group_keys / "a.key").write_text("{}")
    with pytest.raises(SealBroken, match="gone"):
        Seal(keys, "trunks").close(SECRET, "acme")
