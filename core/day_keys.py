"""The keys of single days, for what arrives before anybody knows whose it is.

A value names its day in clear; when the day's key has been destroyed nobody reads it again. A key is made when its day
first needs one.
"""

from __future__ import annotations

from datetime import date
from threading import Lock

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, select

from core.database import Database, insert_ignore
from core.key_store import day_key
from core.keys import WorkspaceKey
from core.wrapping import new_key, unwrap, wrap

_REMEMBERED_DAYS = 4


class DayKeys:
    """Thread-safe. Days are calendar days in UTC."""

    def __init__(self, key: WorkspaceKey, store: Database) -> None:
        self._key = key
        self._store = store
        self._cache: dict[int, AESGCM] = {}
        self._lock = Lock()

    def get(self, day: date) -> AESGCM:
        """The cipher of `day`, made where there is none."""
        number = day.toordinal()
        cipher = self.find(number)
        if cipher is None:
            row = {
                "day": number,
                "key_version": self._key.current,
                "wrapped": wrap(self._key, wrapped_name(number), new_key()),
            }
            with self._store.transaction() as connection:
                insert_ignore(connection, day_key, [row])
            cipher = self.find(number)  # another process may have been first: what is stored counts
            assert cipher is not None
        return cipher

    def find(self, number: int) -> AESGCM | None:
        """The cipher of the day with this ordinal, None when its key was destroyed or never made."""
        with self._lock:
            if number in self._cache:
                return self._cache[number]
        with self._store.read() as connection:
            row = connection.execute(select(day_key).where(day_key.c.day == number)).one_or_none()
        if row is None:
            return None
        cipher = AESGCM(unwrap(self._key, row.key_version, wrapped_name(number), row.wrapped))
        with self._lock:
            self._cache[number] = cipher
            for old in sorted(self._cache)[:-_REMEMBERED_DAYS]:
                del self._cache[old]
        return cipher

    def destroy(self, before: date) -> int:
        """Destroy the keys of every day before `before`; answers how many."""
        with self._store.transaction() as connection:
            gone = connection.execute(delete(day_key).where(day_key.c.day < before.toordinal())).rowcount
        with self._lock:
            self._cache = {number: cipher for number, cipher in self._cache.items() if number >= before.toordinal()}
        return gone


def wrapped_name(number: int) -> str:
    """What the wrapped key of a day is bound to."""
    return f"day:{number}"
