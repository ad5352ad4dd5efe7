"""What the cells of a column look like: addresses, dates and how they are written, numbers, words of consent.

Pure, and it keeps counts only: no cell of a person is shown or remembered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import InputError
from core.zones import find_zone
from customers.addresses import normalise
from customers.countries import find_country
from customers.imports import consent_words, values
from customers.imports.values import RefusedError
from customers.tables import IdentityKind

_DATES: tuple[str, ...] = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y"),
    *("%m/%d/%y", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_LAYOUTS = tuple(day + time for day in _DATES for time in _TIMES)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_PHONE = re.compile(r"\+?[\d ()/.-]{7,20}")
_DAY = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_POINT = re.compile(r"[+-]?\d+(\.\d+)?")
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+")
_CURRENCY = re.compile(
    "AUD|BGN|BRL|CAD|CHF|CLP|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MXN|MYR|NOK|NZD|PHP|PLN|RON|SEK|SGD|"
    "THB|TRY|UAH|USD|ZAR"
)
_MOST = 0.9
_FEW_WORDS = 6


class Look(StrEnum):
    """What most cells of a column are."""

    EMAIL = "e-mail addresses"
    PHONE = "phone numbers"
    DATE = "dates"
    INSTANT = "dates with a time"
    NUMBER = "numbers"
    DECIMAL_COMMA = "numbers with a decimal comma"
    CONSENT = "words of consent"
    COUNTRY = "countries"
    ZONE = "time zones"
    CURRENCY = "currency codes"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Seen:
    """`count` of `filled` cells are of `look`; `layout` is how dates are written (None: ISO 8601).

    `other_layout` fits as well, and then only a person knows which is meant. `words` are the different cells of a
    column that has few; such words are nobody's data.
    """

    total: int
    filled: int
    look: Look
    count: int
    layout: str | None = None
    other_layout: str | None = None
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.filled:
            return "empty"
        if self.look is Look.TEXT:
            return f"{self.filled:,} of {self.total:,} filled"
        return f"{self.count:,} of {self.total:,} are {self.look.value}"


def look_at(cells: Sequence[Any]) -> Seen:
    """What `cells` are, as far as most of them agree."""
    texts = [text for text in map(_text, cells) if text]
    different = set(texts)
    words = tuple(sorted(different)) if len(different) <= _FEW_WORDS and len(texts) > 2 * len(different) else ()
    total, filled = len(cells), len(texts)
    if not texts:
        return Seen(total, 0, Look.TEXT, 0)
    if all(isinstance(cell, datetime) for cell in cells if cell is not None):
        return Seen(total, filled, Look.INSTANT, filled)
    for look, test in _TESTS:
        count = sum(map(test, texts))
        if _is_most(count, filled):
            return Seen(total, filled, look, count, words=words)
    dated = _dates(texts)
    if dated is not None:
        layout, other, count, has_time = dated
        return Seen(total, filled, Look.INSTANT if has_time else Look.DATE, count, layout, other)
    return Seen(total, filled, Look.TEXT, filled, words=words)


def _is_most(count: int, filled: int) -> bool:
    """A few wrong cells do not hide what a column is, nor does a single one in a short file."""
    return count >= _MOST * filled or count >= max(filled - 1, 2)


def _text(cell: Any) -> str | None:
    try:
        return None if isinstance(cell, dict | list) else values.text(cell)
    except RefusedError:
        return None


def _dates(texts: Sequence[str]) -> tuple[str | None, str | None, int, bool] | None:
    """The layout that reads most cells, another one that reads as many, how many, and whether they have a time."""
    iso = sum(map(_is_iso, texts))
    if _is_most(iso, len(texts)):
        return None, None, iso, any(len(text) > 10 for text in texts)
    if not any(character.isdigit() for character in texts[0]):
        return None
    counts = {layout: sum(_fits(text, layout) for text in texts) for layout in _plausible(texts)}
    best = max(counts, key=lambda layout: counts[layout], default=None)
    if best is None or not _is_most(counts[best], len(texts)):
        return None
    other = next((layout for layout in counts if layout != best and counts[layout] == counts[best]), None)
    return best, other, counts[best], "%H" in best or "%I" in best


def _plausible(texts: Iterable[str]) -> list[str]:
    """The layouts that read at least one of the first cells: the others are not worth the time."""
    some = [text for text, _ in zip(texts, range(20), strict=False)]
    return [layout for layout in _LAYOUTS if any(_fits(text, layout) for text in some)]


def _fits(text: str, layout: str) -> bool:
    try:
        datetime.strptime(text, layout)  # noqa: DTZ007 (only whether it can be read)
    except ValueError:
        return False
    return True


def _is_iso(text: str) -> bool:
    if not _ISO.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_email(text: str) -> bool:
    try:
        return "@" in text and bool(normalise(IdentityKind.EMAIL, text))
    except InputError:
        return False


def _is_phone(text: str) -> bool:
    """Digits alone may be anything: a number has a plus, a leading zero or something between."""
    return bool(_PHONE.fullmatch(text)) and (text[0] in "+0" or " " in text) and not _DAY.match(text)


def _is_consent(text: str) -> bool:
    try:
        return text not in ("0", "1") and consent_words.status(text) is not None
    except RefusedError:
        return False


def _is_country(text: str) -> bool:
    return not text.isdigit() and find_country(text) is not None


def _is_currency(text: str) -> bool:
    return _CURRENCY.fullmatch(text) is not None


_TESTS = (
    (Look.EMAIL, _is_email),
    (Look.CURRENCY, _is_currency),
    (Look.CONSENT, _is_consent),  # before countries: NO is Norway too
    (Look.COUNTRY, _is_country),
    (Look.PHONE, _is_phone),
    (Look.NUMBER, lambda text: bool(_POINT.fullmatch(text))),
    (Look.DECIMAL_COMMA, lambda text: bool(_COMMA.fullmatch(text) or _POINT.fullmatch(text))),
    (Look.ZONE, lambda text: "/" in text and find_zone(text) is not None),
)
