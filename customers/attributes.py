"""What an attribute may hold, and the one spelling in which a sealed one is compared.

Pure. Where attributes are stored is the business of `profiles`.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from core.errors import InputError
from core.vault import Vault
from customers.workspace import ValueKind

_YES = frozenset({"true", "yes", "y", "1", "on"})
_NO = frozenset({"false", "no", "n", "0", "off"})
_MAX_TEXT = 10_000


def coerce(kind: ValueKind, value: Any) -> Any:
    """`value` as plain JSON of its kind: dates as YYYY-MM-DD, instants as ISO text in UTC. Raises InputError."""
    return _COERCIONS[kind](value)


def attribute_lookup(vault: Vault, name: str, value: Any) -> str:
    """The blind index of a sealed attribute's value, for `eq` and `in`."""
    return vault.blind_index(f"attribute:{name}", canonical(value))


def canonical(value: Any) -> str:
    """The one spelling under which a sealed value is compared."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value, order="sorted").decode()


def _text(value: Any) -> str:
    if isinstance(value, (list, dict)):
        raise InputError("this is not text.")
    text = unicodedata.normalize("NFC", str(value)).strip()
    if len(text) > _MAX_TEXT or "\x00" in text:
        raise InputError(f"the text is longer than {_MAX_TEXT:,} characters, or holds a NUL.")
    return text


def _number(value: Any) -> int | float:
    if isinstance(value, bool):
        raise InputError("this is not a number: write 12 or 12.5.")
    try:
        number = value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        raise InputError("this is not a number: write 12 or 12.5.") from None
    if isinstance(number, float):
        if not math.isfinite(number):
            raise InputError("this is not a finite number.")
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        raise InputError("this is neither true nor false: write true or false.")
    return word in _YES


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.date()
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value).strip()[:10])
    except ValueError:
        raise InputError("this is not a date of the calendar: write YYYY-MM-DD.") from None
    return day.isoformat()


def _instant(value: Any) -> str:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise InputError("this is not a date and time: write 2027-03-20T10:00:00Z.") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [item for part in value.split(",") if (item := _text(part))]
    if not isinstance(value, (list, tuple)):
        raise InputError("this is not a list.")
    return [item if isinstance(item, (bool, int, float)) else _text(item) for item in value]


_COERCIONS = {
    ValueKind.TEXT: _text,
    ValueKind.NUMBER: _number,
    ValueKind.BOOLEAN: _boolean,
    ValueKind.DATE: _date,
    ValueKind.INSTANT: _instant,
    ValueKind.LIST: _list,
}
