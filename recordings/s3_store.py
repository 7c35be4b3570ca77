"""The archive's store in S3, with Object Lock: objects by key, each version named by its VersionId and read by it.

Written with lock headers, so that not even the holder of the credentials (in `compliance`, not even the account's owner)
can delete an object or shorten its lock. Blocking, like `recordings.store`: archiving is work for a thread anyway, where
botocore's own client does what is needed.
"""

import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from recordings.store import COPY_BYTES, Locked, ObjectDiffers, Stored

BLOCK = 1 << 20
CONNECT_SECONDS, READ_SECONDS = 3, 30
PROBE_KEY = ".probe"
ABSENT = frozenset(
    {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "NotFound", "404", "MethodNotAllowed", "405",
     "NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"}
)  # fmt: skip
"""What a store says of an object that is not there, of a delete marker, and of a lock that an object does not have."""
Lock = Literal["governance", "compliance", "none"]


class StoreDown(OSError):
    """The store does not answer, or refuses us: what was to be stored waits."""


class S3Store:
    """Objects below one prefix of a bucket. `work` is a local folder for what is in the making."""

    def __init__(
        self,
        url: str,
        *,
        work: Path,
        endpoint: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        lock: Lock = "governance",
    ) -> None:
        parts = urlsplit(url)
        self.bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self.work = work
        self.lock = lock
        session = botocore.session.Session()
        self._client = session.create_client(
            "s3",
            endpoint_url=endpoint,
            region_name=region or session.get_config_variable("region") or "us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": 2},
                s3={"addressing_style": "path"} if endpoint else {},
            ),
        )
        self._written = threading.Event()

    @property
    def unfinished(self) -> tuple[Path, ...]:
        """The folders in which a killed process may leave something."""
        return (self.work,)

    @property
    def disk(self) -> Path:
        """A folder of the file system that must have room."""
        return self.work

    def _name(self, key: str) -> str:
        if not key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
            raise ValueError(f"{key!r} is not an object key")
        return f"{self._prefix}/{key}" if self._prefix else key

    def put(self, key: str, source: Path, until: datetime | None = None) -> Stored:
        """Send `source`, locked `until` then. The same bytes again are as once; other bytes raise `ObjectDiffers`."""
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            if (there := self._head(key)) is not None:
                if self.read_back(key, there).sha256 == digest:
                    return Stored(digest, size, there)
                raise ObjectDiffers(key)
            file.seek(0)
            with _translated(key):
                answer = self._client.put_object(
                    Bucket=self.bucket, Key=self._name(key), Body=file, **self._lock_headers(until)
                )
        return Stored(digest, size, answer.get("VersionId"))

    def _lock_headers(self, until: datetime | None) -> dict[str, Any]:
        if self.lock == "none" or until is None:
            return {}
        return {"ObjectLockMode": self.lock.upper(), "ObjectLockRetainUntilDate": until}

    def _head(self, key: str) -> str | None:
        """The newest version of that key ("null" in a bucket without versions), None when there is no such object."""
        try:
            with _translated(key):
                return str(self._client.head_object(Bucket=self.bucket, Key=self._name(key)).get("VersionId") or "null")
        except FileNotFoundError:
            return None

    def read_back(self, key: str, version: str | None = None) -> Stored:
        """Fetch and hash what the store gives; without a version the newest one. Raises FileNotFoundError, OSError."""
        digest, length = hashlib.sha256(), 0
        with _translated(key):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._name(key), **_version(version))
            with answer["Body"] as body:
                while block := body.read(COPY_BYTES):
                    digest.update(block)
                    length += len(block)
        return Stored(digest.hexdigest(), length, version or answer.get("VersionId"))

    def exists(self, key: str) -> bool:
        """Whether there is an object of that key."""
        return self._head(key) is not None

    def open(self, key: str, version: str | None = None) -> BinaryIO:
        """The object for reading, seekable; a block is fetched when it is read. Raises FileNotFoundError, OSError."""
        with _translated(key):
            head = self._client.head_object(Bucket=self.bucket, Key=self._name(key), **_version(version))
        size = int(head["ContentLength"])
        return cast(BinaryIO, io.BufferedReader(_Object(lambda at: self._block(key, version, at), size), BLOCK))

    def _block(self, key: str, version: str | None, at: int) -> bytes:
        with _translated(key):
            answer = self._client.get_object(
                Bucket=self.bucket, Key=self._name(key), Range=f"bytes={at}-{at + BLOCK - 1}", **_version(version)
            )
            return cast(bytes, answer["Body"].read())

    def remove(self, key: str) -> int:
        """Remove every version of the key and see that none is left; how many there were.

        Raises `Locked` while a lock forbids it: what is locked is found out first, and then nothing is removed.
        """
        versions = self._versions(key)
        if locked := max(filter(None, (self.locked_until(key, version) for version in versions)), default=None):
            raise Locked(f"{key} is locked until {locked.isoformat(timespec='seconds')}")
        for version in versions:
            with _translated(key):
                self._client.delete_object(Bucket=self.bucket, Key=self._name(key), VersionId=version)
        if left := self._versions(key):
            raise OSError(f"{key} still has {len(left)} versions after they were removed")
        return len(versions)

    def _versions(self, key: str) -> list[str]:
        """Every version and delete marker of exactly this key."""
        found, name = [], self._name(key)
        with _translated(key):
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=name):
                entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
                found += [str(entry["VersionId"]) for entry in entries if entry["Key"] == name]
        return found

    def locked_until(self, key: str, version: str | None = None) -> datetime | None:
        """Until when the store's lock forbids to delete this version, or any version; None when it does not, or no more."""
        if self.lock == "none":
            return None
        if version is None:
            locks = (self.locked_until(key, each) for each in self._versions(key))
            return max(filter(None, locks), default=None)
        try:
            with _translated(key):
                answer = self._client.get_object_retention(Bucket=self.bucket, Key=self._name(key), **_version(version))
        except FileNotFoundError:
            return None  # a delete marker, or a version that was never locked
        until = answer["Retention"].get("RetainUntilDate")
        return until if until is not None and until > datetime.now(until.tzinfo) else None

    def lock_until(self, key: str, version: str | None, until: datetime) -> None:
        """Extend the lock; to an earlier moment than it has, nothing happens. Raises OSError."""
        if self.lock == "none":
            return
        locked = self.locked_until(key, version)
        if locked is not None and locked >= until:
            return
        with _translated(key):
            self._client.put_object_retention(
                Bucket=self.bucket,
                Key=self._name(key),
                Retention={"Mode": self.lock.upper(), "RetainUntilDate": until},
                **_version(version),
            )

    def probe(self) -> None:
        """Ask for the bucket, and the first time and after every failure write and remove a small object too.

        Raises OSError when it does not answer, cannot be written, or has no Object Lock though one is asked for.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        try:
            with _translated(self.bucket):
                self._client.head_bucket(Bucket=self.bucket)
            if not self._written.is_set():
                self._probe_thoroughly()
                self._written.set()
        except OSError:
            self._written.clear()
            raise

    def _probe_thoroughly(self) -> None:
        with _translated(self.bucket):
            name = self._name(PROBE_KEY)
            answer = self._client.put_object(Bucket=self.bucket, Key=name, Body=b"")
            self._client.delete_object(Bucket=self.bucket, Key=name, **_version(answer.get("VersionId")))
            if self.lock == "none":
                return
            try:
                found = self._client.get_object_lock_configuration(Bucket=self.bucket)
                enabled = found["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"
            except ClientError:
                enabled = False
        if not enabled:
            raise StoreDown(f"bucket {self.bucket} has no Object Lock, and archive.lock asks for {self.lock}")


class _Object(io.RawIOBase):
    """An object as a seekable file: `fetch` gives the block that starts at a byte."""

    def __init__(self, fetch: Callable[[int], bytes], size: int) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._held: tuple[int, bytes] = (0, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]  # of typeshed's Buffer
        if self._at >= self._size:
            return 0
        start, held = self._held
        if not start <= self._at < start + len(held):
            start, held = self._held = (self._at, self._fetch(self._at))
        found = held[self._at - start :][: len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def _version(version: str | None) -> dict[str, str]:
    return {"VersionId": version} if version else {}


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """botocore's faults as the file system's, which is what whoever stores and reads is ready for."""
    try:
        yield
    except ClientError as error:
        told = error.response.get("Error", {})
        code = str(told.get("Code", ""))
        if code in ABSENT:
            raise FileNotFoundError(f"{name} is not in the store") from error
        raise StoreDown(
            f"the store refuses {error.operation_name} of {name}: {code} {told.get('Message', '')}"
        ) from error
    except (BotoCoreError, HTTPClientError) as error:
        raise StoreDown(f"the store does not answer: {error}") from error
