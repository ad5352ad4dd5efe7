"""How insights speak: money, chances, days and lengths as people write them. Pure."""

from __future__ import annotations

from datetime import date

from customers.money import minor_digits

_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}
_SPACE = "\N{NO-BREAK SPACE}"
_MONTH, _YEAR = 30.4, 365.25


def money(minor: float, currency: str) -> str:
    """Minor units as an amount, whole units from a thousand on."""
    amount = minor / 10 ** minor_digits(currency)
    digits = 0 if abs(amount) >= 1_000 else minor_digits(currency)
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, f'{currency} ')}{abs(amount):,.{digits}f}"


def percent(share: float) -> str:
    """0.123 as 12 %; nothing that is possible is 0 %, and nothing uncertain 100 %."""
    if 0 < share < 0.005:
        return f"less than 1{_SPACE}%"
    if 0.995 <= share < 1:
        return f"more than 99{_SPACE}%"
    return f"{100 * share:.0f}{_SPACE}%"


def day(at: date) -> str:
    return f"{at:%-d %B %Y}"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 day`, `2 days`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def length(days: float) -> str:
    """A length in the unit that says most."""
    if days < 60:
        return count(round(days), "day")
    if days < 2 * _YEAR:
        return count(round(days / _MONTH), "month")
    return count(round(days / _YEAR), "year")
