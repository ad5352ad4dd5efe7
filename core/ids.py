"""Deterministic ids: the same cause always has the same id, so that replaying anything changes nothing.

Ids are UUIDs of version 5 in their 36 character form, which is also safe in an SES tag, a URL and a log line.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from uuid import UUID

_NAMESPACE = UUID("6f0a1f2e-6e3c-5d0e-9a53-0f5a7c1d2b4e").bytes
_FIXED = 0xF << 76 | 0x3 << 62  # the bits of a UUID that tell its version and its kind ...
_VERSION_5 = 5 << 76 | 0x2 << 62  # ... and what they are in one of version 5 (RFC 9562, 5.5)
_KIND = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # the same for a digit that begins with the kind


def derived_id(*parts: object) -> str:
    """The id of what `parts` name. Their order and kind matter: a length before each keeps 'a','bc' from 'ab','c'."""
    name = "".join([f"{len(text)}:{text}|" for text in map(str, parts)])
    digest = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()
    # What `uuid5` does, at half the cost: a simulation derives ten for each person.
    digits = f"{int.from_bytes(digest[:16], 'big') & ~_FIXED | _VERSION_5:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def derived_ids(parts: Iterable[object], lasts: Iterable[object]) -> list[str]:
    """`derived_id(*parts, last)` of each of many, at a third of its cost: what they share is hashed once."""
    shared = hashlib.sha1(_NAMESPACE + "".join([_named(part) for part in parts]).encode(), usedforsecurity=False)
    ids = []
    for last in lasts:
        digest = shared.copy()
        digest.update(_named(last).encode())
        digits = digest.hexdigest()
        kind = _KIND[digits[16]]
        ids.append(f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{kind}{digits[17:20]}-{digits[20:32]}")
    return ids


def _named(part: object) -> str:
    text = str(part)
    return f"{len(text)}:{text}|"


def random_id() -> str:
    """An id that nothing can guess, for what is not derived from anything."""
    return secrets.token_hex(16)


def random_token_id() -> int:
    """A random 63-bit number (it must fit a signed BIGINT)."""
    return secrets.randbits(63)


def content_hash(content: str | bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def bucket(seed: str, profile_id: int) -> int:
    """The bucket, 0 to 9999, of a profile under a seed: splits and holdouts are a hash, never a throw of dice."""
    digest = hashlib.sha256(f"{seed}:{profile_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 10000
