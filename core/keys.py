"""The workspace key: made once, kept in a file of mode 0600, and the root from which every other key is derived.

HKDF separates purposes, so that no key serves two. The file may hold several versions, newest last; old ones go on
opening what they sealed and checking what they signed.
"""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import ConflictError, EnvironmentFaultError

_HEADER = "# Postilion workspace key. Whoever has it can read the sealed data; without it nobody can. Back it up apart."


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

    def __repr__(self) -> str:
        return f"WorkspaceKey({len(self.versions)} versions)"


@lru_cache(maxsize=256)
def _derive(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"postilion", info=purpose.encode()).derive(root)


def create_key(path: Path) -> WorkspaceKey:
    """Write a new workspace key; an existing file is never overwritten, because its data would be lost with it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConflictError(f"there is a workspace key already at {path}: it is kept.") from None
    root = secrets.token_bytes(32)
    with os.fdopen(handle, "w") as file:
        file.write(f"{_HEADER}\n1 {base64.b64encode(root).decode()}\n")
        file.flush()
        os.fsync(file.fileno())
    return WorkspaceKey((root,))


def load_key(path: Path) -> WorkspaceKey:
    """The key at `path`; one that others can read is refused."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except FileNotFoundError:
        raise EnvironmentFaultError(
            f"no workspace key at {path}: run `postilion init`, or restore the file from its backup."
        ) from None
    except OSError as error:
        raise EnvironmentFaultError(f"the workspace key {path} cannot be read: {error.strerror}.") from None
    if mode & 0o077:
        raise EnvironmentFaultError(f"others can read the workspace key {path}: run `chmod 600 {path}`.")
    try:
        rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
        versions = tuple(base64.b64decode(value, validate=True) for _number, value in rows)
    except ValueError:
        versions = ()
    if not versions or any(len(version) != 32 for version in versions):
        raise EnvironmentFaultError(f"the workspace key {path} is damaged: restore the file from its backup.")
    return WorkspaceKey(versions)
