"""The file that a backup is: a tar archive with `manifest.json`, which says what it holds, and the copy itself.

It never holds keys: without the key store and the workspace key, what is sealed in it stays unreadable.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from core.errors import InputError

_MANIFEST, _COPY = "manifest.json", "database"
_BLOCK = 1 << 20
_MANIFEST_LIMIT = 1 << 20


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`engine` is "sqlite" or "postgresql"; `revision` that of the schema; `counts` rows by table; `key_count` how many
    data keys the key store had, which are not in here; `sha256` of the copy in hex.
    """

    workspace: str
    made_at: datetime
    revision: str
    engine: str
    counts: Mapping[str, int]
    key_count: int
    sha256: str
    format: int = 1


def write_archive(target: Path, copy: Path, manifest: Manifest) -> None:
    """Write `target` with mode 0600, whole or not at all: it gets its name when everything is on the disk."""
    partial = target.with_name(f".{target.name}.part")
    document = msgspec.json.format(msgspec.json.encode(manifest))
    try:
        with _create_private(partial) as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.addfile(_member(_MANIFEST, len(document), manifest.made_at), io.BytesIO(document))
                with copy.open("rb") as source:
                    archive.addfile(_member(_COPY, copy.stat().st_size, manifest.made_at), source)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        sync_folder(target.parent)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def read_manifest(file: Path) -> Manifest:
    """What the backup `file` holds. Raises InputError for anything else."""
    with _open(file) as archive:
        return _read_manifest(archive, file)


def unpack(file: Path, target: Path) -> Manifest:
    """Write the copy to `target` (a new file of mode 0600). Raises InputError when it is not what was written once."""
    digest = hashlib.sha256()
    with _open(file) as archive:
        manifest = _read_manifest(archive, file)
        source = archive.extractfile(_COPY) if _COPY in archive.getnames() else None
        if source is None:
            raise _damaged(file)
        with _create_private(target) as sink:
            while block := source.read(_BLOCK):
                digest.update(block)
                sink.write(block)
            sink.flush()
            os.fsync(sink.fileno())
    if digest.hexdigest() != manifest.sha256:
        target.unlink()
        raise _damaged(file)
    return manifest


def hash_file(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk: without it, a power cut may undo a rename."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _create_private(path: Path) -> IO[bytes]:
    with suppress(FileNotFoundError):
        path.unlink()  # what a killed run left behind
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextmanager
def _open(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, mode="r:") as archive:
            yield archive
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"there is no backup {file}: check the path.") from None
    except IsADirectoryError:
        raise InputError(f"{file} is a folder: name one of the backups in it.") from None
    except (tarfile.TarError, EOFError):
        raise _damaged(file) from None


def _read_manifest(archive: tarfile.TarFile, file: Path) -> Manifest:
    first = archive.next()
    source = archive.extractfile(first) if first is not None and first.name == _MANIFEST else None
    if source is None:
        raise InputError(f"{file} is no backup of Postilion: it has no {_MANIFEST}.")
    try:
        manifest = msgspec.json.decode(source.read(_MANIFEST_LIMIT), type=Manifest)
    except msgspec.MsgspecError:
        raise _damaged(file) from None
    if manifest.format != Manifest.__struct_defaults__[-1]:
        raise InputError(f"{file} was made by a newer Postilion: restore it with that one.")
    return manifest


def _member(name: str, size: int, made_at: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(made_at.timestamp())
    return member


def _damaged(file: Path) -> InputError:
    return InputError(f"the backup {file} is damaged or was altered: use another one.")
