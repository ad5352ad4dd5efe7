"""Whose turn it is with one import: no file is written by two processes at once, and none waits for a dead one.

The turn is a lease that is renewed with every batch. Its holder names the process and where it runs, so that somebody
on the same machine sees at once that the holder has died, instead of waiting until its lease has run out.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from uuid import getnode

from sqlalchemy import Connection, select

from core.claims import lease, release_lease, take_lease
from core.errors import ConflictError
from core.ids import random_id
from core.runtime import Runtime

_LENGTH = timedelta(minutes=10)


class Turn:
    """The right to write one import, or to undo it. Raises ConflictError when another process has it."""

    def __init__(self, runtime: Runtime, batch_id: int, what: str) -> None:
        self._runtime = runtime
        self._name = f"import:{batch_id}"
        self._what = what
        self._holder = f"{_here()}:{os.getpid()}:{_started(os.getpid())}:{random_id()[:8]}"

    def take(self) -> None:
        with self._runtime.database.transaction() as connection:
            if not self._try(connection):
                self._take_over(connection)

    def renew(self, connection: Connection) -> None:
        """To be called in each transaction that writes: whoever lost the turn meanwhile writes nothing more."""
        if not self._try(connection):
            raise ConflictError(f"{self._what} was taken over by another process: this one has stopped.")

    def release(self) -> None:
        with self._runtime.database.transaction() as connection:
            release_lease(connection, self._name, self._holder, self._runtime.clock.now())

    def _try(self, connection: Connection) -> bool:
        return take_lease(connection, self._name, self._holder, self._runtime.clock.now(), _LENGTH)

    def _take_over(self, connection: Connection) -> None:
        holder = connection.execute(select(lease.c.holder).where(lease.c.name == self._name)).scalar_one()
        if _has_died(holder):
            release_lease(connection, self._name, holder, self._runtime.clock.now())
            if self._try(connection):
                return
        raise ConflictError(f"{self._what} is running in another process: wait until it has ended.")


def is_running(connection: Connection, runtime: Runtime, batch_id: int) -> bool:
    """Whether some process that lives, as far as can be seen from here, has the turn."""
    query = select(lease.c.holder).where(lease.c.name == f"import:{batch_id}", lease.c.expires_at > runtime.clock.now())
    holder = connection.execute(query).scalar_one_or_none()
    return holder is not None and not _has_died(holder)


def _has_died(holder: str) -> bool:
    """Whether a process of this machine is gone; of another machine's nothing is known."""
    here, _, rest = holder.partition(":")
    number, _, rest = rest.partition(":")
    started = rest.partition(":")[0]
    if here != _here() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return started != _started(int(number))


def _here() -> str:
    """This machine since it was started, and within it the container: process numbers mean nothing outside."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return f"{getnode():x}"


def _started(number: int) -> str:
    """When a process was started, in the kernel's ticks: its number alone may have been given to another one.

    Empty for one that has ended and whose parent has not asked how.
    """
    try:
        # The name in brackets may hold blanks; behind it stand the state and, as the 20th word, the start.
        words = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] == "Z" else words[19]
