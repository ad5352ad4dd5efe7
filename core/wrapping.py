"""Wrapping one key in another: AES-256-GCM, bound to the name of what is wrapped."""

from __future__ import annotations

import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import PermanentError
from core.keys import WorkspaceKey

NONCE_BYTES = 12
KEY_BYTES = 32


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def wrap(key: WorkspaceKey, name: str, secret: bytes) -> bytes:
    """`secret` under the current version of the workspace key."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _cipher(key.derive("wrap")).encrypt(nonce, secret, name.encode())


def unwrap(key: WorkspaceKey, version: int, name: str, wrapped: bytes) -> bytes:
    """What was wrapped under `name`. Raises PermanentError when it belongs to another key or another name."""
    try:
        cipher = _cipher(key.derive("wrap", version))
        return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], name.encode())
    except InvalidTag:
        raise PermanentError(
            "the key store belongs to another workspace key: check POSTILION_KEY_FILE and POSTILION_KEYS_URL."
        ) from None


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)
