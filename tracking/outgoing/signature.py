"""How a receiver knows that a call is ours: the headers of Standard Webhooks 1.0 (https://www.standardwebhooks.com).

Signed is `<id>.<timestamp>.<body>` by HMAC-SHA256. The secret is derived from the workspace key, each webhook has its
own; after a rotation a call carries one signature for each version of the key. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence

_PREFIX = "whsec_"


def secrets_of(signing_key: Callable[[str, int], bytes], current: int, name: str) -> tuple[str, ...]:
    """The secrets of webhook `name`, newest first; from `Vault.signing_key` and `Vault.key_version`."""
    versions = range(current, 0, -1)
    return tuple(_PREFIX + base64.b64encode(signing_key(f"events-out:{name}", one)).decode() for one in versions)


def signed_headers(secrets: Sequence[str], call_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; `timestamp` in seconds since 1970."""
    signed = f"{call_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": call_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{_mac(secret, signed)}" for secret in secrets),
    }


def _mac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
