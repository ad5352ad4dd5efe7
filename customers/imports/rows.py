"""Rows become records: each mapped field parsed by its own parser, the first wrong cell refusing the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.errors import InputError
from customers.addresses import normalise
from customers.imports import values
from customers.imports.job import Job
from customers.imports.mapping import Column
from customers.imports.sources import Batch, Refused
from customers.imports.values import Memo, Reason, RefusedError
from customers.money import to_minor

Parser = Callable[[Any], Any]
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Parsed:
    """One good row: its line, its cells as they stand in the file, and what they mean."""

    line: int
    cells: tuple[Any, ...]
    record: Record

    def refused(self, reason: str) -> Refused:
        return Refused(self.line, Reason(reason), self.cells)


class RowParser:
    """Fields without a parser are taken as they are (nested values of JSON Lines)."""

    def __init__(self, job: Job, parsers: Mapping[str, Parser | None]) -> None:
        self._constants: Record = {}
        self._cells: list[tuple[str, int, Memo | None]] = []
        self._wrong_constant: Reason | None = None
        for name, column in job.mapping.columns.items():
            if name not in parsers:
                continue
            parse = parsers[name]
            memo = Memo(parse) if parse else None
            if column.column is not None:
                self._cells.append((name, job.columns.index(column.column), memo))
                continue
            self._constants[name] = column.value if memo is None else memo[column.value]
            if isinstance(self._constants[name], Reason):
                self._wrong_constant = self._constants[name]

    def records(self, batch: Batch) -> tuple[list[Parsed], list[Refused]]:
        """The good rows and the others; an empty cell is None."""
        good: list[Parsed] = []
        refused = list(batch.malformed)
        for line, cells in zip(batch.lines, batch.rows, strict=True):
            record = self._parse(cells)
            if isinstance(record, Reason):
                refused.append(Refused(line, record, cells))
            else:
                good.append(Parsed(line, cells, record))
        return good, refused

    def _parse(self, cells: tuple[Any, ...]) -> Record | Reason:
        if self._wrong_constant is not None:
            return self._wrong_constant
        record = dict(self._constants)
        for name, place, memo in self._cells:
            cell = cells[place]
            if memo is None:
                record[name] = cell
                continue
            try:
                value = memo[cell]
            except TypeError:  # a list or a document where text was due
                return Reason(f"wrong_{name}")
            if isinstance(value, Reason):
                return value
            record[name] = value
        return record


def text_parser(reason: str, longest: int) -> Parser:
    """Text of at most `longest` characters."""

    def parse(cell: Any) -> str | None:
        word = values.text(cell)
        if word is not None and len(word) > longest:
            raise RefusedError(reason)
        return word

    return parse


def identifier_parser(kind: str, region: str | None = None) -> Parser:
    """An identifier in its one spelling; refused as `wrong_email` and so on."""

    def parse(cell: Any) -> str | None:
        word = values.text(cell)
        if word is None:
            return None
        try:
            return normalise(kind, word, region)
        except InputError:
            raise RefusedError(f"wrong_{kind}") from None

    return parse


def instant_parser(job: Job, column: Column) -> Parser:
    return partial(values.instant, zone=job.zone, layout=column.format, latest=values.latest_acceptable(job.now))


def money_parser(currency: str, column: Column, reason: str = "wrong_price") -> Parser:
    """Minor units of `currency`."""

    def parse(cell: Any) -> int | None:
        amount = values.number(cell, reason, column.scale)
        return None if amount is None else to_minor(amount, currency)

    return parse
