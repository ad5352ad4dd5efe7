"""Numbers as much of Europe writes them, 1.234,56, become numbers with a point before any importer sees them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from customers.imports.batch import Batch, Source

# Groups of three are parted by points, blanks (also narrow and unbreakable ones) or apostrophes.
_NUMBER = re.compile(r"\s*([+-]?)(\d{1,3}(?:[.\s'\u2019]\d{3})+|\d+)(?:,(\d+))?\s*")


class DecimalCommas:
    """A source whose cells in `numbers` are read with a comma; what is no such number stays as it is."""

    def __init__(self, source: Source, numbers: frozenset[str]) -> None:
        self._source = source
        self._numbers = numbers
        self.columns = source.columns
        self.row_count = source.row_count

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        places = frozenset(place for place, name in enumerate(columns) if name in self._numbers)
        for batch in self._source.iter_batches(columns, size):
            rows = [
                tuple([with_point(cell) if place in places else cell for place, cell in enumerate(cells)])
                for cells in batch.rows
            ]
            yield Batch(batch.lines, rows, batch.malformed)

    def close(self) -> None:
        self._source.close()


def with_point(cell: Any) -> Any:
    """`1.234,56` as `1234.56`; what is no such number stays as it is, also `1.5`, whose point parts no thousands."""
    found = _NUMBER.fullmatch(cell) if isinstance(cell, str) else None
    if found is None:
        return cell
    sign, whole, fraction = found.groups()
    digits = re.sub(r"\D", "", whole)
    return f"{sign}{digits}.{fraction}" if fraction else f"{sign}{digits}"
