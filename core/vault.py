"""Sealing personal data and finding it again without opening it.

A value is sealed with AES-256-GCM under its profile's own data key; the additional data binds it to that profile and
column, so that a row moved elsewhere does not open. Data keys are wrapped by the workspace key and live in a store of
their own: destroying one row there makes everything of that profile unreadable.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import IntEnum
from threading import Lock
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, delete, select

from core.bulk import among, insert_rows
from core.database import Database, batches
from core.day_keys import DayKeys
from core.errors import EnvironmentFaultError, NotFoundError, PermanentError
from core.key_store import data_key, key_metadata, open_key_store
from core.keys import WorkspaceKey
from core.wrapping import NONCE_BYTES, new_key, unwrap, wrap

__all__ = ["Format", "Vault", "key_metadata", "lookup_prefix", "open_key_store"]

_CACHED_KEYS = 20_000
_LOOKUP_BATCH = 20_000
_LOOKUP_DIGITS = 32
_DAY_BYTES = 4


class Format(IntEnum):
    """The first byte of a sealed value: under which key it is, and what stands before the nonce."""

    PROFILE = 1  # nonce, text
    DAY = 2  # day (4 bytes, big endian), nonce, text
    WORKSPACE = 3  # key version (1 byte), nonce, text; it was written without a format byte before there was a second


class Vault:
    """Seals and opens values; thread-safe. Its key store commits by itself: a key must exist before what it seals."""

    def __init__(self, workspace_key: WorkspaceKey, store: Database) -> None:
        self._key = workspace_key
        self._store = store
        self._days = DayKeys(workspace_key, store)
        self._cache: OrderedDict[int, AESGCM] = OrderedDict()
        self._lock = Lock()

    def create_store(self) -> None:
        """Make the key store's tables (and, on PostgreSQL, their schema) where they are missing."""
        with self._store.transaction() as connection:
            if not self._store.is_sqlite:
                connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS keys")
            key_metadata.create_all(connection)
            self._check_version(connection)

    def close(self) -> None:
        self._store.close()

    # -- addresses and attributes -------------------------------------------------------------------------------

    def blind_index(self, kind: str, normalised: str, version: int | None = None) -> str:
        """The lookup value of an address or a sealed attribute: key version and 128 bits of HMAC-SHA256, in hex.

        `kind` separates the domains ("email", "phone", "attribute:first_name"): equal text under two kinds differs.
        """
        return self._keyed_hash("blind-index", kind, normalised, version or self._key.current)

    def indexer(self, kind: str) -> Callable[[str], str]:
        """`blind_index` for very many values of one kind."""
        key = self._key.derive(f"blind-index:{kind}")
        prefix, digest = lookup_prefix(self._key.current), hmac.digest
        return lambda normalised: prefix + digest(key, normalised.encode(), "sha256").hex()[:_LOOKUP_DIGITS]

    def blind_indexes(self, kind: str, normalised: str) -> tuple[str, ...]:
        """`blind_index` under every key version, the newest first."""
        return self._keyed_hashes("blind-index", kind, normalised)

    def seal(self, profile_id: int, column: str, value: str) -> bytes:
        """Seal text of a profile; its data key is made where it has none."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _PROFILE + nonce + self._cipher(profile_id).encrypt(nonce, value.encode(), _bound(profile_id, column))

    def open(self, profile_id: int, column: str, sealed: bytes) -> str:
        """What `seal` was given. Raises NotFoundError for an erased profile, PermanentError when it does not open."""
        cipher = self._find_cipher(profile_id)
        if cipher is None:
            raise NotFoundError(f"the data of profile {profile_id} was erased and cannot be read any more.")
        try:
            return _decrypt(cipher, sealed[1:], _bound(profile_id, column))
        except InvalidTag:
            raise PermanentError(
                f"a sealed value of profile {profile_id} ({column}) does not open: wrong key or altered."
            ) from None

    def seal_document(self, profile_id: int, column: str, document: Any) -> bytes:
        return self.seal(profile_id, column, msgspec.json.encode(document, enc_hook=str).decode())

    def open_document(self, profile_id: int, column: str, sealed: bytes | None) -> Any:
        return {} if sealed is None else msgspec.json.decode(self.open(profile_id, column, sealed))

    # -- what belongs to no profile yet -------------------------------------------------------------------------

    def seal_for_day(self, purpose: str, value: str, day: date) -> bytes:
        """Seal text under the key of `day` (UTC), which is destroyed soon after: see `destroy_day_keys`."""
        return self.seal_bytes_for_day(purpose, value.encode(), day)

    def seal_bytes_for_day(self, purpose: str, value: bytes, day: date) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        text = self._days.get(day).encrypt(nonce, value, _bound(day.toordinal(), purpose))
        return _DAY + day.toordinal().to_bytes(_DAY_BYTES, "big") + nonce + text

    def open_for_day(self, purpose: str, sealed: bytes) -> str:
        """What `seal_for_day` was given. Raises NotFoundError when the day's key is gone."""
        return self.open_bytes_for_day(purpose, sealed).decode()

    def open_bytes_for_day(self, purpose: str, sealed: bytes) -> bytes:
        """What `seal_bytes_for_day` was given. Raises NotFoundError when the day's key is gone."""
        number = int.from_bytes(sealed[1 : 1 + _DAY_BYTES], "big")
        cipher = self._days.find(number)
        if cipher is None:
            raise NotFoundError("the key of the day on which this arrived was destroyed: it cannot be read any more.")
        nonce, text = sealed[1 + _DAY_BYTES :][:NONCE_BYTES], sealed[1 + _DAY_BYTES + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, text, _bound(number, purpose))
        except InvalidTag:
            raise PermanentError(f"a sealed value ({purpose}) does not open: wrong key or altered.") from None

    @staticmethod
    def day_of(sealed: bytes) -> date:
        """The day (UTC) under whose key a value was sealed; told without opening it."""
        return date.fromordinal(int.from_bytes(sealed[1 : 1 + _DAY_BYTES], "big"))

    def destroy_day_keys(self, before: date) -> int:
        """Destroy the keys of all days before `before`, and with them what they sealed; answers how many."""
        return self._days.destroy(before)

    def seal_for_workspace(self, purpose: str, value: str) -> bytes:
        """Seal text that outlives every person; whatever may be somebody's belongs under a profile or a day."""
        version = self._key.current
        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = AESGCM(self._key.derive(f"seal:{purpose}", version))
        return _WORKSPACE + bytes([version]) + nonce + cipher.encrypt(nonce, value.encode(), purpose.encode())

    def open_for_workspace(self, purpose: str, sealed: bytes) -> str:
        """What `seal_for_workspace` was given. Raises PermanentError when it does not open."""
        # The old form has the version where the format stands now, and was never written by a version above 1.
        versioned = sealed[1:] if sealed[0] == Format.WORKSPACE else sealed
        cipher = AESGCM(self._key.derive(f"seal:{purpose}", versioned[0]))
        try:
            return _decrypt(cipher, versioned[1:], purpose.encode())
        except InvalidTag:
            raise PermanentError(f"a sealed value ({purpose}) does not open: wrong key or altered.") from None

    def tombstones(self, kind: str, normalised: str) -> tuple[str, ...]:
        """What marks an erased identifier, newest key version first: as `blind_index`, under a key of its own."""
        return self._keyed_hashes("tombstone", kind, normalised)

    def signing_key(self, purpose: str, version: int | None = None) -> bytes:
        """The MAC key of one purpose, such as "token:click"."""
        return self._key.derive(f"sign:{purpose}", version)

    @property
    def store(self) -> Database:
        """The key store, for what must survive a restore of the database: see core/erasures.py."""
        return self._store

    @property
    def key_version(self) -> int:
        return self._key.current

    # -- data keys ----------------------------------------------------------------------------------------------

    def prepare(self, profile_ids: Iterable[int]) -> None:
        """Have the data keys of many profiles at hand, made where they are missing: one commit instead of many."""
        for some in batches(self._not_cached(profile_ids), _LOOKUP_BATCH):
            self._create_and_load(some)

    def fetch(self, profile_ids: Iterable[int]) -> None:
        """Have the data keys of many profiles at hand where there are some; none is made."""
        for some in batches(self._not_cached(profile_ids), _LOOKUP_BATCH):
            self._load(some)

    def has_key(self, profile_id: int) -> bool:
        """Whether the profile has a data key: nobody who was erased has one, and sealing would make a new one."""
        return self._find_cipher(profile_id) is not None

    def destroy(self, profile_id: int) -> None:
        """Delete a profile's data key for good: whatever it sealed can never be read again."""
        self.destroy_all([profile_id])

    def destroy_all(self, profile_ids: Sequence[int]) -> None:
        """`destroy` for many profiles, in one commit."""
        with self._store.transaction() as connection:
            connection.execute(delete(data_key).where(among(connection, data_key.c.profile_id, profile_ids)))
        with self._lock:
            for number in profile_ids:
                self._cache.pop(number, None)

    def _check_version(self, connection: Connection) -> None:
        """All data keys are under one version; a newer one than ours means that we have an old key file."""
        query = select(data_key.c.key_version).order_by(data_key.c.profile_id.desc()).limit(1)
        version = connection.execute(query).scalar()
        if version is not None and version > self._key.current:
            raise EnvironmentFaultError(
                f"the data keys are under version {version} of the workspace key and its file ends at "
                f"{self._key.current}: copy the key file from the machine where it was rotated."
            )

    def _keyed_hashes(self, purpose: str, kind: str, normalised: str) -> tuple[str, ...]:
        return tuple(
            self._keyed_hash(purpose, kind, normalised, version) for version in range(self._key.current, 0, -1)
        )

    def _keyed_hash(self, purpose: str, kind: str, normalised: str, version: int) -> str:
        key = self._key.derive(f"{purpose}:{kind}", version)
        return lookup_prefix(version) + hmac.digest(key, normalised.encode(), "sha256").hex()[:_LOOKUP_DIGITS]

    def _cipher(self, profile_id: int) -> AESGCM:
        cipher = self._find_cipher(profile_id)
        if cipher is None:
            self._create_and_load([profile_id])
            cipher = self._find_cipher(profile_id)
            assert cipher is not None
        return cipher

    def _find_cipher(self, profile_id: int) -> AESGCM | None:
        cipher = self._cache.get(profile_id)  # one step, which needs no lock; it is `prepare` that keeps keys at hand
        if cipher is not None:
            return cipher
        self._load([profile_id])
        with self._lock:
            return self._cache.get(profile_id)

    def _not_cached(self, profile_ids: Iterable[int]) -> list[int]:
        missing = []
        with self._lock:
            for number in dict.fromkeys(profile_ids):
                if number in self._cache:
                    self._cache.move_to_end(number)
                else:
                    missing.append(number)
        return missing

    def _create_and_load(self, profile_ids: Sequence[int]) -> None:
        self._load(profile_ids)
        missing = self._not_cached(profile_ids)
        if not missing:
            return
        made = {number: new_key() for number in missing}
        rows = [(number, self._key.current, wrap(self._key, str(number), key)) for number, key in made.items()]
        with self._store.transaction() as connection:
            stored_count = insert_rows(connection, data_key, ("profile_id", "key_version", "wrapped"), rows)
        if stored_count < len(made):
            self._load(missing)  # another process was first with some: what is stored counts
        else:
            self._remember({number: AESGCM(key) for number, key in made.items()})

    def _load(self, profile_ids: Sequence[int]) -> None:
        with self._store.read() as connection:
            rows = connection.execute(
                select(data_key).where(among(connection, data_key.c.profile_id, profile_ids))
            ).all()
        ciphers = {
            row.profile_id: AESGCM(unwrap(self._key, row.key_version, str(row.profile_id), row.wrapped)) for row in rows
        }
        self._remember(ciphers)

    def _remember(self, ciphers: Mapping[int, AESGCM]) -> None:
        with self._lock:
            self._cache.update(ciphers)
            while len(self._cache) > _CACHED_KEYS:
                self._cache.popitem(last=False)


_PROFILE, _DAY, _WORKSPACE = (bytes([form]) for form in (Format.PROFILE, Format.DAY, Format.WORKSPACE))


def lookup_prefix(version: int) -> str:
    """How every blind index under this key version begins."""
    return f"{version:x}."


def _bound(owner: int, column: str) -> bytes:
    return f"{owner}:{column}:1".encode()


def _decrypt(cipher: AESGCM, sealed: bytes, bound: bytes) -> str:
    return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound).decode()
