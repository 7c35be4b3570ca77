"""Standard Webhooks: the body that is signed, and its headers (standardwebhooks.com)."""

import base64
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook

PREFIX = "whsec_"


def new_secret() -> str:
    """32 random bytes, written as the specification has it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def message(kind: str, occurred_at: datetime, data: Any) -> str:
    """The body: what it is, when it happened, and the thing."""
    document = {"type": kind, "timestamp": occurred_at.astimezone(UTC).isoformat(), "data": data}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def headers(message_id: str, at: datetime, body: str, with_secrets: Sequence[str]) -> dict[str, str]:
    """The three headers; while a secret is being replaced, both sign."""
    signatures = [Webhook(secret).sign(message_id, at.astimezone(UTC), body) for secret in with_secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
