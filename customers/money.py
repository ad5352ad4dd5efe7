"""Amounts as integers in minor units of their currency, by exact decimal arithmetic. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

# ISO 4217: currencies whose minor unit is not a hundredth.
_WITHOUT = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV")
_THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_DIGITS = dict.fromkeys((*_WITHOUT, "XAF", "XOF", "XPF"), 0) | dict.fromkeys(_THOUSANDTHS, 3)


def minor_digits(currency: str) -> int:
    """Decimals of the currency (ISO 4217): 2 for GBP, 0 for JPY."""
    return _DIGITS.get(currency, 2)


def to_minor(amount: Decimal, currency: str) -> int:
    """`amount` of whole units as minor units; half a unit goes to the even neighbour."""
    return round_minor(amount.scaleb(minor_digits(currency)))


def round_minor(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
