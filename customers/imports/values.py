"""Cells become values: text, numbers, instants; what cannot be one becomes the reason why its row is refused.

Parsers are pure. A `Memo` remembers what each different cell came to, because a column of a large file holds the same
few values again and again; that makes the importer fast.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import to_micros

_MEMO_SIZE = 100_000
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_TOO_LARGE = Decimal(10) ** 12
_WITH_COMMA = re.compile(r"[+-]?[\d.\s']*\d,[\d.,]*")
_PROTECTED = re.compile(r"'([=+@-].*|\d+)", re.DOTALL)
_OLDEST_YEARS = 120


class Reason(str):
    """Why a row is refused: one word, counted and written to the rejects file."""

    __slots__ = ()


class RefusedError(Exception):
    """Raised by a parser; carries the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = Reason(reason)
        super().__init__(reason)


class Memo(dict[Any, Any]):
    """What `parse` makes of a cell, or its Reason; bounded, so that memory stays flat on any file."""

    def __init__(self, parse: Callable[[Any], Any]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, cell: Any) -> Any:
        if len(self) >= _MEMO_SIZE:
            self.clear()
        try:
            value = self._parse(cell)
        except RefusedError as refused:
            value = refused.reason
        self[cell] = value
        return value


def text(cell: Any) -> str | None:
    """Text without the blanks around it; None for an empty cell. A number that a file stores as 17850.0 is 17850.

    An apostrophe that keeps spreadsheets from running or rounding a cell ('+44…, '007) is none of the text.
    """
    if cell is None:
        return None
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        return str(int(cell)) if cell.is_integer() else str(cell)
    word = str(cell).strip()
    if word[:1] == "'" and _PROTECTED.fullmatch(word):
        word = word[1:]
    if "\x00" in word:  # PostgreSQL holds no such text
        raise RefusedError("wrong_characters")
    return word or None


def number(cell: Any, reason: str = "wrong_number", scale: Decimal | None = None) -> Decimal | None:
    """An exact decimal with a point; None for an empty cell. Commas are read before, see `decimal_commas`."""
    word = text(cell) if not isinstance(cell, float) else repr(cell)
    if word is None or word == "nan":
        return None
    try:
        value = Decimal(word)
    except InvalidOperation:
        # 12,50 and 1,250 look alike: the mapping has to say what a comma means.
        raise RefusedError("comma_in_number" if _WITH_COMMA.fullmatch(word) else reason) from None
    if not value.is_finite() or "_" in word or abs(value) >= _TOO_LARGE:
        raise RefusedError(reason)
    return value if scale is None else value * scale


def integer(cell: Any, reason: str = "wrong_number", scale: Decimal | None = None) -> int | None:
    """A whole number of at most 32 bits; None for an empty cell."""
    value = number(cell, reason, scale)
    if value is None:
        return None
    if value != value.to_integral_value() or abs(value) >= 2**31:
        raise RefusedError(reason)
    return int(value)


def instant(cell: Any, zone: ZoneInfo, layout: str | None, latest: datetime) -> datetime | None:
    """An aware UTC instant: `layout` in strptime's words, else ISO 8601; without an offset, the clock of `zone`.

    A time that the clocks of `zone` skip or show twice has the offset that held before. What lies before 1900 or after
    `latest` is no date of a customer.
    """
    moment = _moment(cell, layout)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise RefusedError("impossible_date") from None
    if moment < _EARLIEST:
        raise RefusedError("impossible_date")
    if moment > latest:
        raise RefusedError("future_date")
    return moment


def micros(cell: Any, zone: ZoneInfo, layout: str | None, latest: datetime) -> int | None:
    """`instant` as microseconds since 1970."""
    moment = instant(cell, zone, layout, latest)
    return None if moment is None else to_micros(moment)


def day(cell: Any, layout: str | None) -> str | None:
    """A date of the calendar as YYYY-MM-DD."""
    moment = _moment(cell, layout)
    return None if moment is None else moment.date().isoformat()


def birthday(cell: Any, layout: str | None, today: date) -> str | None:
    """A day on which somebody who lives was born, as YYYY-MM-DD."""
    born = day(cell, layout)
    if born is not None and not f"{today.year - _OLDEST_YEARS}" <= born <= today.isoformat():
        raise RefusedError("impossible_birthday")
    return born


def truth(cell: Any) -> bool | None:
    word = text(cell)
    if word is None:
        return None
    if word.lower() in ("true", "yes", "y", "1"):
        return True
    if word.lower() in ("false", "no", "n", "0"):
        return False
    raise RefusedError("wrong_boolean")


def latest_acceptable(now: datetime) -> datetime:
    """A day of grace: the clocks of two systems are never the same."""
    return now + timedelta(days=1)


def _moment(cell: Any, layout: str | None) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 (gets the mapping's zone from the caller)
    word = text(cell)
    if word is None:
        return None
    try:
        return datetime.strptime(word, layout) if layout else datetime.fromisoformat(word)  # noqa: DTZ007 (as above)
    except ValueError:
        raise RefusedError("impossible_date") from None
