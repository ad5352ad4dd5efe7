"""The rules as a file that every process maps into its memory: two arrays, companions and scores, with their names.

A file belongs to one rule set and never changes: a new set gets a file of its own, which is put in place whole. What
was torn or bent is noticed by its checksum, and written anew by whoever finds it.
"""

from __future__ import annotations

import hashlib
import logging
import mmap
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from core.errors import PermanentError
from recommender.ranking import Ranking

log = logging.getLogger(__name__)

_MAGIC = b"PSTRULE1"
_DIGEST_BYTES = 32
_ALIGNED = 64
_HEAD = len(_MAGIC) + _DIGEST_BYTES + 8
_KEPT_FILES = 2  # a process that has not noticed the new one yet may still open the one before


class DamagedIndexError(PermanentError):
    """The file is not whole, or is no index of ours."""


class StoredIndex(NamedTuple):
    """The companions of each product, and lists of best sellers by name."""

    ranking: Ranking
    sellers: Mapping[str, list[str]]


class _Names(msgspec.Struct, frozen=True):
    skus: list[str]
    width: int
    sellers: dict[str, list[str]]


def write_index(path: Path, index: StoredIndex) -> None:
    """Put the file in place in one step, durable, readable by its owner; raises OSError where the disk will not."""
    ranking = index.ranking
    names = msgspec.json.encode(
        _Names(list(ranking.skus), ranking.width, {name: list(skus) for name, skus in index.sellers.items()})
    )
    head = len(names).to_bytes(8, "little")
    parts = [
        head,
        names,
        bytes(-(_HEAD + len(names)) % _ALIGNED),
        np.ascontiguousarray(ranking.score, dtype="<f8").tobytes(),
        np.ascontiguousarray(ranking.companion, dtype="<i4").tobytes(),
    ]
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".unfinished-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([_MAGIC, digest.digest(), *parts])
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)  # noqa: PTH105 - the name is a text
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def read_index(path: Path) -> StoredIndex:
    """Map the file; its arrays stay on the disk's pages, which processes share.

    Raises FileNotFoundError, and DamagedIndexError where the checksum does not fit.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < _HEAD:
            raise DamagedIndexError(f"{path.name} is too short for an index of rules.")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    body = memoryview(mapped)[len(_MAGIC) + _DIGEST_BYTES :]
    digest = hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()
    if mapped[: len(_MAGIC)] != _MAGIC or mapped[len(_MAGIC) : len(_MAGIC) + _DIGEST_BYTES] != digest:
        raise DamagedIndexError(f"{path.name} is damaged: its checksum does not fit.")
    end = _HEAD + int.from_bytes(mapped[_HEAD - 8 : _HEAD], "little")
    names = msgspec.json.decode(mapped[_HEAD:end], type=_Names)
    count = len(names.skus) * names.width
    start = end + -end % _ALIGNED
    score = np.frombuffer(mapped, dtype="<f8", count=count, offset=start).reshape(-1, names.width)
    companion = np.frombuffer(mapped, dtype="<i4", count=count, offset=start + 8 * count).reshape(-1, names.width)
    return StoredIndex(Ranking(tuple(names.skus), companion, score), names.sellers)


def drop_older(path: Path) -> None:
    """Take away the files of rule sets before the last; who has one mapped keeps it."""
    files = sorted(path.parent.glob(f"*{path.suffix}"), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:-_KEPT_FILES]:
        if file != path:
            file.unlink(missing_ok=True)
