"""Sealing personal data and finding it again without opening it.

A value is sealed with AES-256-GCM under its profile's own data key; the additional data binds it to that profile and
column, so that a row moved elsewhere does not open. Data keys are wrapped by the workspace key and live in a store of
their own: destroying one row there makes everything of that profile unreadable.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, delete, select

from core.database import Database, batches, insert_ignore
from core.errors import NotFoundError, PermanentError
from core.keys import WorkspaceKey

key_metadata = MetaData()
data_key = Table(
    "data_key",
    key_metadata,
    Column("profile_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_CACHED_KEYS = 20_000
_LOOKUP_BATCH = 500


class Vault:
    """Seals and opens values; thread-safe. Its key store commits by itself: a key must exist before what it seals."""

    def __init__(self, workspace_key: WorkspaceKey, store: Database) -> None:
        self._key = workspace_key
        self._store = store
        self._cache: OrderedDict[int, AESGCM] = OrderedDict()
        self._lock = Lock()

    def create_store(self) -> None:
        """Make the key store's table (and, on PostgreSQL, its schema) where it is missing."""
        with self._store.transaction() as connection:
            if not self._store.is_sqlite:
                connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS keys")
            key_metadata.create_all(connection)

    def close(self) -> None:
        self._store.close()

    # -- addresses and attributes -------------------------------------------------------------------------------

    def blind_index(self, kind: str, normalised: str) -> str:
        """The lookup value of an address or a sealed attribute: key version and 128 bits of HMAC-SHA256, in hex.

        `kind` separates the domains ("email", "phone", "attribute:first_name"): equal text under two kinds differs.
        """
        version = self._key.current
        key = self._key.derive(f"blind-index:{kind}", version)
        digest = hmac.new(key, normalised.encode(), hashlib.sha256).hexdigest()
        return f"{version:x}.{digest[:32]}"

    def seal(self, profile_id: int, column: str, value: str) -> bytes:
        """Seal text of a profile; its data key is made where it has none."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher(profile_id).encrypt(nonce, value.encode(), _bound(profile_id, column))

    def open(self, profile_id: int, column: str, sealed: bytes) -> str:
        """What `seal` was given. Raises NotFoundError for an erased profile, PermanentError when it does not open."""
        cipher = self._find_cipher(profile_id)
        if cipher is None:
            raise NotFoundError(f"the data of profile {profile_id} was erased and cannot be read any more.")
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, text, _bound(profile_id, column)).decode()
        except InvalidTag:
            raise PermanentError(
                f"a sealed value of profile {profile_id} ({column}) does not open: wrong key or altered."
            ) from None

    def seal_document(self, profile_id: int, column: str, document: Any) -> bytes:
        return self.seal(profile_id, column, msgspec.json.encode(document, enc_hook=str).decode())

    def open_document(self, profile_id: int, column: str, sealed: bytes | None) -> Any:
        return {} if sealed is None else msgspec.json.decode(self.open(profile_id, column, sealed))

    # -- what belongs to no profile yet -------------------------------------------------------------------------

    def seal_for_workspace(self, purpose: str, value: str) -> bytes:
        version = self._key.current
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = AESGCM(self._key.derive(f"seal:{purpose}", version))
        return bytes([version]) + nonce + cipher.encrypt(nonce, value.encode(), purpose.encode())

    def open_for_workspace(self, purpose: str, sealed: bytes) -> str:
        cipher = AESGCM(self._key.derive(f"seal:{purpose}", sealed[0]))
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        return cipher.decrypt(nonce, text, purpose.encode()).decode()

    def tombstones(self, kind: str, normalised: str) -> tuple[str, ...]:
        """What marks an erased identifier, newest key version first: as `blind_index`, under a key of its own."""
        marks = []
        for version in range(self._key.current, 0, -1):
            digest = hmac.new(self._key.derive(f"tombstone:{kind}", version), normalised.encode(), hashlib.sha256)
            marks.append(f"{version:x}.{digest.hexdigest()[:32]}")
        return tuple(marks)

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
        with self._lock:
            wanted = [number for number in dict.fromkeys(profile_ids) if number not in self._cache]
        for some in batches(wanted, _LOOKUP_BATCH):
            self._create_and_load(some)

    def destroy(self, profile_id: int) -> None:
        """Delete a profile's data key for good: whatever it sealed can never be read again."""
        with self._store.transaction() as connection:
            connection.execute(delete(data_key).where(data_key.c.profile_id == profile_id))
        with self._lock:
            self._cache.pop(profile_id, None)

    def _cipher(self, profile_id: int) -> AESGCM:
        cipher = self._find_cipher(profile_id)
        if cipher is None:
            self._create_and_load([profile_id])
            cipher = self._find_cipher(profile_id)
            assert cipher is not None
        return cipher

    def _find_cipher(self, profile_id: int) -> AESGCM | None:
        with self._lock:
            cipher = self._cache.get(profile_id)
            if cipher is not None:
                self._cache.move_to_end(profile_id)
                return cipher
        self._load([profile_id])
        with self._lock:
            return self._cache.get(profile_id)

    def _create_and_load(self, profile_ids: Sequence[int]) -> None:
        self._load(profile_ids)
        with self._lock:
            missing = [number for number in profile_ids if number not in self._cache]
        if not missing:
            return
        version = self._key.current
        wrap = AESGCM(self._key.derive("wrap", version))
        rows = []
        for number in missing:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            sealed = wrap.encrypt(nonce, secrets.token_bytes(32), str(number).encode())
            rows.append({"profile_id": number, "key_version": version, "wrapped": nonce + sealed})
        with self._store.transaction() as connection:
            insert_ignore(connection, data_key, rows)
        self._load(missing)  # another process may have been first: what is stored counts

    def _load(self, profile_ids: Sequence[int]) -> None:
        with self._store.read() as connection:
            rows = connection.execute(select(data_key).where(data_key.c.profile_id.in_(profile_ids))).all()
        ciphers = {row.profile_id: AESGCM(self._unwrap(row.profile_id, row.key_version, row.wrapped)) for row in rows}
        with self._lock:
            self._cache.update(ciphers)
            while len(self._cache) > _CACHED_KEYS:
                self._cache.popitem(last=False)

    def _unwrap(self, profile_id: int, version: int, wrapped: bytes) -> bytes:
        wrap = AESGCM(self._key.derive("wrap", version))
        try:
            return wrap.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], str(profile_id).encode())
        except InvalidTag:
            raise PermanentError(
                "the key store belongs to another workspace key: check POSTILION_KEY_FILE and POSTILION_KEYS_URL."
            ) from None


def open_key_store(url: str) -> Database:
    """The database that holds the wrapped data keys; deleted keys are overwritten on disk."""
    store = Database(url, pool_size=4, overwrite_deleted=True)
    if not store.is_sqlite:
        store.engine = store.engine.execution_options(schema_translate_map={None: "keys"})
    return store


def _bound(profile_id: int, column: str) -> bytes:
    return f"{profile_id}:{column}:1".encode()
