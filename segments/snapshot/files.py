"""Where the snapshot lies: a folder of its own in the state folder, one process that writes, any number that read.

DuckDB lets nobody else into a file that is being written. So its owner holds a lock for as long as it works, and
publishes a copy by renaming it into its place; who reads has opened that copy, and keeps it even when the next comes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConflictError
from core.settings import Settings

_COPY_EVERY_S = 3_600
_UNFINISHED = (".new", ".new.wal", ".copy", ".scratch", ".scratch.wal")


@dataclass(frozen=True, slots=True)
class Folder:
    path: Path

    @property
    def working(self) -> Path:
        """The owner's file."""
        return self.path / "everybody.duckdb"

    @property
    def unfinished(self) -> Path:
        """What is being built anew."""
        return self.path / "everybody.duckdb.new"

    @property
    def published(self) -> Path:
        """The copy for readers."""
        return self.path / "everybody.published.duckdb"

    @property
    def scratch(self) -> Path:
        """Rows on their way into it."""
        return self.path / "everybody.scratch"

    @property
    def status(self) -> Path:
        """What the owner tells of it, as JSON."""
        return self.path / "status.json"

    @property
    def spill(self) -> Path:
        """Where DuckDB lays down what does not fit into memory."""
        return self.path / "spill"

    def publish(self) -> None:
        """Put a copy of the working file, which must be closed, in the place of the published one."""
        copy = self.published.with_suffix(".copy")
        shutil.copyfile(self.working, copy)
        copy.chmod(0o600)
        copy.replace(self.published)

    def publish_if_old(self) -> None:
        """`publish`, unless the published copy is less than an hour older than the working file: copies cost."""
        there = self.published.exists()
        if not there or self.working.stat().st_mtime - self.published.stat().st_mtime > _COPY_EVERY_S:
            self.publish()

    def tell(self, document: bytes) -> None:
        """Write the status anew."""
        new = self.status.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_bytes(document)
        new.replace(self.status)

    def accept(self) -> None:
        """Make what was built the working file."""
        self.forget()
        self.unfinished.chmod(0o600)
        self.unfinished.replace(self.working)

    def forget(self) -> None:
        """Remove the working file, because it is damaged, outdated or about to be replaced."""
        self.working.unlink(missing_ok=True)
        self.working.with_name(self.working.name + ".wal").unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what a process that was killed left lying; only the owner may."""
        for file in self.path.iterdir():
            if file.name.endswith(_UNFINISHED):
                file.unlink(missing_ok=True)
        shutil.rmtree(self.spill, ignore_errors=True)


def folder_of(settings: Settings) -> Folder:
    return Folder(settings.state_folder / "segments")


@contextmanager
def owning(folder: Folder) -> Iterator[None]:
    """Be the one process that writes. Raises ConflictError while another is."""
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder.path / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("another process is working on the snapshot: try again when it is done.") from None
        folder.clean()
        yield
    finally:
        os.close(lock)
