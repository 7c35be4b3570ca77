"""From a finished file to a proven object: prove, encode, decode and compare, store, read back.

Nothing here touches the spool file; it is cleared by who wrote down that the object is proven. Blocking: call it in a
thread.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import soundfile

from recordings.proof import NotProven, Proof, decoded_sha256, prove
from recordings.store import LocalStore, ObjectDiffers, Stored


@dataclass(frozen=True, slots=True)
class Kept:
    """A proven object: what was found in the file, and the object's key, hash and length."""

    proof: Proof
    key: str
    stored: Stored


class Archive:
    """Proven copies of spool files. FLAC files in the making are in `work`, a folder beside the objects."""

    def __init__(self, *, store: LocalStore) -> None:
        self.store = store
        self.work = store.root / ".work"

    def keep(self, source: Path, stem: str) -> Kept:
        """Archive `source` under `stem` and an ending that says what it is.

        Samples become `<stem>.flac`; a file in which none are found is kept whole, as `<stem>.original`. Doing it
        again gives the same object. Raises OSError (disk full, unreadable), `Changed` (still written) or `NotProven`.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        flac = self.work / f"{secrets.token_hex(16)}.flac"
        try:
            proof = prove(source, flac)
            if not proof.frames:
                return self._store(proof, f"{stem}.original", source)
            if decoded_sha256(flac) != proof.pcm_sha256:
                raise NotProven(f"the FLAC copy of {source.name} does not decode to the same samples")
            return self._store(proof, f"{stem}.flac", flac)
        except soundfile.LibsndfileError as error:
            raise OSError(f"cannot write or read the FLAC copy of {source.name}: {error}") from error
        finally:
            flac.unlink(missing_ok=True)

    def _store(self, proof: Proof, key: str, source: Path) -> Kept:
        try:
            stored = self.store.put(key, source)
        except ObjectDiffers:
            # An attempt that was cut short left an object made of other bytes: it stays, this one gets a name of its
            # own.
            key = f"{key.rpartition('.')[0]}.{proof.sha256[:12]}.{key.rpartition('.')[2]}"
            stored = self.store.put(key, source)
        if self.store.read_back(key) != stored:
            raise NotProven(f"the archive does not give back what was stored as {key}")
        return Kept(proof, key, stored)

    def discard_unfinished(self, before: datetime) -> None:
        """Remove what a killed process left in the making and nobody has touched since `before`."""
        for folder in (self.work, self.store.incoming):
            for left in folder.iterdir() if folder.is_dir() else ():
                if left.stat().st_mtime < before.timestamp():
                    left.unlink(missing_ok=True)
