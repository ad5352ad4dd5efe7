"""Which write key a request bears, remembered for half a minute so that most are not looked up."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Iterable, Mapping
from typing import Final

from core.runtime import Runtime
from tracking.events.write_keys import WriteKey, find_write_key

_KEY_LIFE_S: Final = 30.0  # so long a revoked key may still be believed
_REMEMBERED_KEYS: Final = 1_000
_MAX_KEY: Final = 200  # characters
_MAX_OFFERED: Final = 6


class SecretKeys:
    """One for a process; `find` is called by every request."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._keys: dict[str, tuple[float, WriteKey | None]] = {}

    async def find(self, headers: Mapping[str, str], others: Iterable[str] = ()) -> WriteKey | None:
        """The write key in `headers` (names in small letters) or among `others`; None without one that is known.

        Jitsu's clients want a name before it, with a colon between, which is let go.
        """
        for offered in [*offered_keys(headers), *others][:_MAX_OFFERED]:
            key = offered.rpartition(":")[2]
            if len(key) <= _MAX_KEY and (found := await self._find(key)) is not None:
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
            return find_write_key(connection, self._runtime.vault, key, self._runtime.clock.now())


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
