"""Which write key a request of a shop's server bears, remembered for half a minute so that most are not looked up."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Mapping
from typing import Final

from core.runtime import Runtime
from tracking.write_keys import WriteKey, find_write_key

_KEY_LIFE_S: Final = 30.0  # so long a revoked key may still be believed
_REMEMBERED_KEYS: Final = 1_000


class SecretKeys:
    """One for a process; `find` is called by every request."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keys: dict[str, tuple[float, WriteKey | None]] = {}

    async def find(self, headers: Mapping[str, str]) -> WriteKey | None:
        """The write key in `headers` (names in small letters), of whichever kind; None without one that is known."""
        for key in offered_keys(headers):
            if (found := await self._find(key)) is not None:
                return found
        return None

    async def _find(self, key: str) -> WriteKey | None:
        known_until, found = self._keys.get(key, (0.0, None))
        if known_until < time.monotonic():
            found = await asyncio.to_thread(self._look_up, key)
            if len(self._keys) >= _REMEMBERED_KEYS:
                self._keys.clear()  # only somebody who guesses keys gets here
            self._keys[key] = (time.monotonic() + _KEY_LIFE_S, found)
        return found

    def _look_up(self, key: str) -> WriteKey | None:
        with self._runtime.database.read() as connection:
            return find_write_key(connection, self._runtime.vault, key)


def offered_keys(headers: Mapping[str, str]) -> list[str]:
    """`X-Write-Key`, a bearer token, or name and password of Basic authentication: clients put keys into any."""
    offered = [headers.get("x-write-key", "")]
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        offered.append(rest.strip())
    elif scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return [key for key in offered if key]
        offered += [password, name]
    return [key for key in offered if key]
