"""How records lie in a segment file: length and checksum (4 bytes each, big endian), then the payload. Pure.

The checksum tells a record that a crash has torn from a whole one without any key. It is CRC-32 (IEEE 802.3), which
the standard library computes at gigabytes a second; CRC32C would need a C extension of its own, and who alters a record
on purpose fails at its seal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

HEADER: Final = struct.Struct(">II")
MAX_PAYLOAD: Final = 64 * 1024 * 1024  # no record of ours is larger; a length beyond it is none


@dataclass(frozen=True, slots=True)
class Frame:
    """One record, and the place in the file behind it; `payload` is None where the checksum does not fit."""

    payload: bytes | None
    end: int


def frame(payload: bytes) -> bytes:
    """`payload` as it is appended to a segment."""
    return HEADER.pack(len(payload), crc32(payload)) + payload


def iter_frames(data: bytes, start: int = 0) -> Iterator[Frame]:
    """The records in `data`, which begins at the place `start` of its file, up to the first that is not all there.

    A record whose checksum does not fit is answered without its payload where another record follows it; at the end
    it is torn, like one that is too short.
    """
    at = 0
    while at + HEADER.size <= len(data):
        length, checksum = _header(data, at)
        end = at + HEADER.size + length
        if not 0 < length <= MAX_PAYLOAD or end > len(data):
            return
        payload = data[at + HEADER.size : end]
        is_whole = crc32(payload) == checksum
        if not is_whole and not _is_followed(data, end):
            return
        yield Frame(payload if is_whole else None, start + end)
        at = end


def whole_length(data: bytes) -> int:
    """How many bytes of `data` are records; what is behind them is torn."""
    end = 0
    for one in iter_frames(data):
        end = one.end
    return end


def _is_followed(data: bytes, at: int) -> bool:
    """Whether a record that is whole begins at `at`."""
    if at + HEADER.size > len(data):
        return False
    length, checksum = _header(data, at)
    payload = data[at + HEADER.size : at + HEADER.size + length]
    return 0 < length == len(payload) and crc32(payload) == checksum


def _header(data: bytes, at: int) -> tuple[int, int]:
    length, checksum = HEADER.unpack_from(data, at)
    return length, checksum
