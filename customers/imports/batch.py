"""What every source of rows gives, whatever its format: batches of cells with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from customers.imports.values import Reason


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is not imported: its number in the file (the first is 1), why, and its cells as far as known."""

    line: int
    reason: Reason
    cells: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows with their line numbers; with `malformed`, everything that was read."""

    lines: Sequence[int]
    rows: list[tuple[Any, ...]]
    malformed: list[Refused]

    @property
    def read_count(self) -> int:
        return len(self.rows) + len(self.malformed)


class Source(Protocol):
    """One open data file or query. `columns` are the names it has; None when they differ from row to row."""

    columns: list[str] | None
    row_count: int | None

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one pass over the bytes tells: the content's hash, the encoding that fits, how many lines there are.

    `bad_line_count` counts the lines with bytes that are no text in that encoding: their rows are refused.
    """

    digest: str
    encoding: str
    line_count: int
    bad_line_count: int = 0
