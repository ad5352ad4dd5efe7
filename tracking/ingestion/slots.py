"""The folders of the log: `ingest/<slot>/NNNNNNNN.log`, one slot for each run of a process.

Whoever serves holds a lock on its slot, which the system releases when the process ends, however it ends: a slot that
can be locked was left behind, and is taken over to be loaded. A slot's name is random and never used again, so that its
position in the database is about these files alone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"
_SUFFIX: Final = ".log"
_UNFINISHED: Final = "new-"


class Slot:
    """A locked folder of segments; `close` gives the lock up."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor

    @property
    def name(self) -> str:
        return self.folder.name

    def path(self, segment: int) -> Path:
        return self.folder / f"{segment:08d}{_SUFFIX}"

    def segments(self) -> list[int]:
        """The numbers of the segments that are there, in order."""
        return sorted(int(file.stem) for file in self.folder.glob(f"*{_SUFFIX}"))

    def delete(self, segment: int) -> None:
        """Remove a segment whose records are in the database; the position is behind it, so nothing hangs on when."""
        self.path(segment).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the slot, which has no segments any more, and give the lock up."""
        (self.folder / _LOCK).unlink(missing_ok=True)
        with suppress(OSError):  # something that is not ours lies in it
            self.folder.rmdir()
        self.close()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def create_slot(root: Path) -> Slot:
    """A slot of our own below `root`. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = secrets.token_hex(8)
    unfinished = root / f"{_UNFINISHED}{name}"
    unfinished.mkdir(mode=0o700)
    descriptor = os.open(unfinished / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    folder = unfinished.rename(root / name)  # from now on it may be found, and is locked already
    sync_folder(root)
    return Slot(folder, descriptor)


def iter_abandoned(root: Path) -> Iterator[Slot]:
    """Take over, one after the other, the slots of processes that have ended."""
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith(_UNFINISHED):
            slot = _take(folder)
            if slot is not None:
                yield slot


def oldest_segments(root: Path) -> Iterator[Path]:
    """The first segment of every slot, whoever holds it."""
    if root.is_dir():
        for folder in sorted(root.iterdir()):
            yield from sorted(folder.glob(f"*{_SUFFIX}"))[:1]


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take(folder: Path) -> Slot | None:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Somebody may have finished and removed it between the two steps.
        if (folder / _LOCK).stat().st_ino == os.fstat(descriptor).st_ino:
            return Slot(folder, descriptor)
    except OSError:
        pass
    os.close(descriptor)
    return None
