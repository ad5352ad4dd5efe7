"""Who works with the keys at the moment: every process shares them, and whoever exchanges them is alone.

A process that still had the old key would look people up under it and find nobody. The lock ends with its process,
also with one that is killed: a file lock beside SQLite's key store, a session's advisory lock on PostgreSQL.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from core.database import Database
from core.errors import EnvironmentFaultError

_LOCK = 7_204_415  # any number, so long as every process uses the same


@contextmanager
def sharing_keys(store: Database) -> Iterator[None]:
    """Use the keys while the block runs. Raises EnvironmentFaultError while somebody has them alone."""
    with _locked(store, shared=True, refusal="its keys are being exchanged or restored: wait until that is done."):
        yield


@contextmanager
def alone_with_keys(store: Database) -> Iterator[None]:
    """Keep every other process of the workspace away. Raises EnvironmentFaultError while there is one."""
    refusal = "this works only while nothing else of Postilion runs: end `postilion up` and every other command first."
    with _locked(store, shared=False, refusal=refusal):
        yield


@contextmanager
def _locked(store: Database, *, shared: bool, refusal: str) -> Iterator[None]:
    lock = _lock_file if store.is_sqlite else _lock_session
    with lock(store, shared) as is_held:
        if not is_held:
            raise EnvironmentFaultError(refusal)
        yield


@contextmanager
def _lock_file(store: Database, shared: bool) -> Iterator[bool]:
    path = Path(f"{store.url.database}.lock")
    with path.open("a") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def _lock_session(store: Database, shared: bool) -> Iterator[bool]:
    function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    with store.engine.connect() as connection:
        # No transaction stays open for hours: it would hold every reader of a cursor back.
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed at the end, not handed on with the lock
        yield bool(connection.execute(text(f"SELECT {function}(:number)"), {"number": _LOCK}).scalar_one())
