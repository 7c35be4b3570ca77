"""The archive and its keys as the settings describe them: for the service, and for commands that work beside it."""

from pathlib import Path

from pydantic import SecretStr

from config.settings import Archive as ArchiveSettings
from config.settings import Keys, Settings
from recordings.archive import Archive, Store
from recordings.keyring import Keyring
from recordings.s3_store import S3Store
from recordings.store import LocalStore


def archive_of(settings: Settings) -> Archive:
    """The archive, with its second store if there is one. Nothing is opened or asked yet."""
    found, keys = settings.archive, settings.keys
    keyring = Keyring(master=keys.master, folder=keys.group_keys)
    store = _store(found.url, found.endpoint, found.access_key, found.secret_key, found, keys)
    copy = None
    if found.copy_url:
        credentials = found.copy_access_key or found.access_key, found.copy_secret_key or found.secret_key
        copy = _store(found.copy_url, found.copy_endpoint or found.endpoint, *credentials, found, keys)
    return Archive(store=store, keyring=keyring, copy=copy)


def _store(
    url: str,
    endpoint: str | None,
    access_key: str | None,
    secret_key: SecretStr | None,
    settings: ArchiveSettings,
    keys: Keys,
) -> Store:
    if not url.startswith("s3://"):
        return LocalStore.at(url)
    return S3Store(
        url,
        work=_work(keys),
        endpoint=endpoint,
        region=settings.region,
        access_key=access_key,
        secret_key=secret_key.get_secret_value() if secret_key else None,
        lock=settings.lock,
    )


def _work(keys: Keys) -> Path:
    return keys.master.parent / "archive-work"
