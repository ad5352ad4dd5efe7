"""How a receiver knows that a call is ours: the header `Postilion-Signature: t=<seconds>,v1=<HMAC-SHA256 in hex>`.

Signed is `<t>.<body>`, so that neither can be exchanged. The secret is derived from the workspace key; after a rotation
the call carries one `v1` for each version of the key, and a receiver that still has the old secret goes on. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence

HEADER = "Postilion-Signature"
DEFAULT_SECRET = "default"
TOLERANCE_S = 300

_PURPOSE = "webhook"
_PREFIX = "whsec_"


def secrets_of(signing_key: Callable[[str, int], bytes], current: int, name: str = DEFAULT_SECRET) -> tuple[str, ...]:
    """The secrets called `name`, newest first; from `Vault.signing_key` and `Vault.key_version`."""
    purpose = f"{_PURPOSE}:{name}"
    return tuple(_PREFIX + signing_key(purpose, version).hex() for version in range(current, 0, -1))


def sign(secrets: Sequence[str], timestamp: int, body: bytes) -> str:
    """The header's value; `timestamp` in seconds since 1970."""
    return ",".join([f"t={timestamp}", *(f"v1={_mac(secret, timestamp, body)}" for secret in secrets)])


def verify(secret: str, header: str, body: bytes, now: int, tolerance_s: int = TOLERANCE_S) -> bool:
    """What a receiver does: whether one `v1` fits, and `t` is at most `tolerance_s` away from `now` (seconds)."""
    fields = [part.partition("=")[::2] for part in header.split(",")]
    stamps = [value for name, value in fields if name.strip() == "t"]
    if len(stamps) != 1 or not stamps[0].isascii() or not stamps[0].isdigit() or len(stamps[0]) > 15:
        return False
    timestamp = int(stamps[0])
    expected = _mac(secret, timestamp, body)
    given = [value.strip() for name, value in fields if name.strip() == "v1" and value.isascii()]
    return abs(now - timestamp) <= tolerance_s and any(hmac.compare_digest(expected, one) for one in given)


def _mac(secret: str, timestamp: int, body: bytes) -> str:
    return hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
