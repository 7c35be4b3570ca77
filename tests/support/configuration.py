"""A floor's settings as the file that `ringfence serve` reads."""

import json
from typing import Any

from config.settings import Settings


def configuration(settings: Settings, port: int) -> str:
    """The TOML of a service on `port`, with what a floor's settings say."""
    pbx = settings.pbx[0]
    sections: dict[str, Any] = {
        "server": {"port": port},
        "database": {"url": settings.database.url},
        "gate": {"port": settings.gate.port, "advertise": settings.gate.advertise},
        "archive": {"url": settings.archive.url},
        "keys": {"master": str(settings.keys.master)},
        "policy": {"packs": ["house"]},
    }
    account = {
        "name": pbx.name,
        "port": pbx.port,
        "username": pbx.username,
        "secret": pbx.secret.get_secret_value(),
        "spool_pbx": pbx.spool_pbx,
        "spool_local": str(pbx.spool_local),
    }
    lines = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join([*lines, "[[pbx]]", *(f"{key} = {json.dumps(value)}" for key, value in account.items()), ""])
