"""The workspace key: made once, kept in a file of mode 0600, and the root from which every other key is derived.

HKDF separates purposes, so that no key serves two. The file may hold several versions, newest last; old ones go on
opening what they sealed and checking what they signed. A version may stand wrapped by a key of the outside
(`N kms:…`), and the newest may be pending: a rotation was begun with it and is not finished.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import ConflictError, EnvironmentFaultError

_HEADER = "# Postilion workspace key. Whoever has it can read the sealed data; without it nobody can. Back it up apart."
_OUTSIDE = "kms:"
_PENDING = "pending"
_ROOT_BYTES = 32
_FINGERPRINT_DIGITS = 16
_MOST_VERSIONS = 255  # tokens and sealed values name theirs in one byte


class Wrapping(Protocol):
    """A key of the outside that wraps ours; both raise EnvironmentFaultError with the way out."""

    def wrap(self, root: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True, repr=False)
class WorkspaceKey:
    """The key's versions, 1 first; the last is the one in use."""

    versions: tuple[bytes, ...]

    @property
    def current(self) -> int:
        return len(self.versions)

    def derive(self, purpose: str, version: int | None = None) -> bytes:
        """The 32 byte key of one purpose (HKDF-SHA256, RFC 5869)."""
        number = version or self.current
        if not 1 <= number <= len(self.versions):
            raise EnvironmentFaultError(f"version {number} of the workspace key is missing: restore the key file.")
        return _derive(self.versions[number - 1], purpose)

    def fingerprint(self, version: int) -> str:
        """What two people can compare to know that they have the same key, without telling it."""
        return self.derive("fingerprint", version).hex()[:_FINGERPRINT_DIGITS]

    def __repr__(self) -> str:
        return f"WorkspaceKey({len(self.versions)} versions)"


@dataclass(frozen=True, slots=True, repr=False)
class KeyEntry:
    """One version as the file has it: `written` is its text there, `root` what that stands for."""

    root: bytes
    written: str

    @property
    def is_wrapped(self) -> bool:
        return self.written.startswith(_OUTSIDE)


@dataclass(frozen=True, slots=True, repr=False)
class KeyFile:
    """A whole key file; `pending` is the version of a rotation that is not finished."""

    entries: tuple[KeyEntry, ...]
    pending: KeyEntry | None = None

    @property
    def key(self) -> WorkspaceKey:
        """The versions that are in use."""
        return WorkspaceKey(tuple(entry.root for entry in self.entries))

    @property
    def key_to_come(self) -> WorkspaceKey:
        """The versions that will be in use when the pending rotation is finished."""
        return self.finished().key

    def begun(self, wrapping: Wrapping | None) -> KeyFile:
        """With a new pending version; as it is when there is one already."""
        if self.pending is not None:
            return self
        if len(self.entries) >= _MOST_VERSIONS:
            raise ConflictError(f"the workspace key has {_MOST_VERSIONS} versions, and no room for another.")
        return KeyFile(self.entries, new_entry(secrets.token_bytes(_ROOT_BYTES), wrapping))

    def finished(self) -> KeyFile:
        """With the pending version in use."""
        return self if self.pending is None else KeyFile((*self.entries, self.pending))

    def rewrapped(self, wrapping: Wrapping | None) -> KeyFile:
        """With every version wrapped by `wrapping`, or plain without one."""
        return KeyFile(
            tuple(new_entry(entry.root, wrapping) for entry in self.entries),
            None if self.pending is None else new_entry(self.pending.root, wrapping),
        )


@lru_cache(maxsize=1024)
def _derive(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"postilion", info=purpose.encode()).derive(root)


def new_entry(root: bytes, wrapping: Wrapping | None) -> KeyEntry:
    if wrapping is None:
        return KeyEntry(root, base64.b64encode(root).decode())
    return KeyEntry(root, _OUTSIDE + base64.b64encode(wrapping.wrap(root)).decode())


def create_key(path: Path, wrapping: Wrapping | None = None) -> WorkspaceKey:
    """Write a new workspace key; an existing file is never overwritten, because its data would be lost with it."""
    if path.exists():
        raise _there_already(path)
    file = KeyFile((new_entry(secrets.token_bytes(_ROOT_BYTES), wrapping),))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _there_already(path) from None
    _write(handle, file)
    _sync_folder(path.parent)
    return file.key


def write_key_file(path: Path, file: KeyFile) -> None:
    """Put `file` in the place of the key file at `path`: after a crash there is the old one or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    _write(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), file)
    temporary.replace(path)
    _sync_folder(path.parent)


def load_key(path: Path, find_wrapping: Callable[[], Wrapping | None] | None = None) -> WorkspaceKey:
    """The key at `path`; one that others can read is refused, and one whose rotation is not finished.

    `find_wrapping` is asked only when the file holds a wrapped version.
    """
    file = read_key_file(path, find_wrapping)
    if file.pending is not None:
        raise EnvironmentFaultError(
            "a key rotation was begun and has to be finished: run `postilion keys rotate` while nothing else runs."
        )
    return file.key


def read_key_file(path: Path, find_wrapping: Callable[[], Wrapping | None] | None = None) -> KeyFile:
    """The key file at `path`, also while a rotation is pending. Raises EnvironmentFaultError with the way out."""
    rows = [line.split() for line in read_private(path).splitlines() if line and not line.startswith("#")]
    well_formed = [
        len(row) in (2, 3) and row[0] == str(number) and row[2:] in ([], [_PENDING])
        for number, row in enumerate(rows, start=1)
    ]
    if not rows or not all(well_formed) or any(row[2:] for row in rows[:-1]) or rows[0][2:]:
        raise _damaged(path)
    is_wrapped = any(row[1].startswith(_OUTSIDE) for row in rows)
    wrapping = find_wrapping() if is_wrapped and find_wrapping is not None else None
    if is_wrapped and wrapping is None:
        raise EnvironmentFaultError(
            f"the workspace key {path} is wrapped by AWS KMS: set POSTILION_KMS_KEY_ID to the key that wraps it."
        )
    entries = tuple(_read_entry(path, row[1], wrapping) for row in rows)
    return KeyFile(entries[:-1], entries[-1]) if rows[-1][2:] else KeyFile(entries)


def read_private(path: Path) -> str:
    """The text of the key file; one that is missing, or that others can read, is refused with the way out."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except FileNotFoundError:
        raise EnvironmentFaultError(
            f"no workspace key at {path}: run `postilion init`, or restore the file from its backup."
        ) from None
    except OSError as error:
        raise EnvironmentFaultError(f"the workspace key {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise _damaged(path) from None
    if mode & 0o077:
        raise EnvironmentFaultError(f"others can read the workspace key {path}: run `chmod 600 {path}`.")
    return text


def _read_entry(path: Path, written: str, wrapping: Wrapping | None) -> KeyEntry:
    try:
        value = base64.b64decode(written.removeprefix(_OUTSIDE), validate=True)
    except ValueError:
        raise _damaged(path) from None
    root = wrapping.unwrap(value) if wrapping is not None and written.startswith(_OUTSIDE) else value
    if len(root) != _ROOT_BYTES:
        raise _damaged(path)
    return KeyEntry(root, written)


def _write(handle: int, file: KeyFile) -> None:
    lines = [_HEADER, *(f"{number} {entry.written}" for number, entry in enumerate(file.entries, start=1))]
    if file.pending is not None:
        lines.append(f"{len(file.entries) + 1} {file.pending.written} {_PENDING}")
    with os.fdopen(handle, "w") as opened:
        opened.write("\n".join(lines) + "\n")
        opened.flush()
        os.fsync(opened.fileno())


def _sync_folder(folder: Path) -> None:
    """Have the names in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _there_already(path: Path) -> ConflictError:
    return ConflictError(f"there is a workspace key already at {path}: it is kept.")


def _damaged(path: Path) -> EnvironmentFaultError:
    return EnvironmentFaultError(f"the workspace key {path} is damaged: restore the file from its backup.")
