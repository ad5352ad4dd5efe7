"""How many parts a text message has, and what keeps it in the cheap alphabet.

GSM 03.38 gives 160 septets in one part and 153 in each of several, UCS-2 gives 70 and 67 sixteen-bit units. A character
of two units is never cut in two (3GPP TS 23.038 and 23.040). Whether a number may get the message is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
# Typographer's signs that text editors put in, each with what people mean by it.
_FOLDED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`", "'"),  # quotes, prime, accents
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),  # hyphens, dashes, minus
        **dict.fromkeys("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\N{EN SPACE}\N{EM SPACE}\t", " "),
        **dict.fromkeys("\N{ZERO WIDTH SPACE}\N{WORD JOINER}\N{ZERO WIDTH NO-BREAK SPACE}\N{SOFT HYPHEN}", ""),
        "…": "...",
        "•": "-",
        "\N{LINE SEPARATOR}": "\n",
        "\N{PARAGRAPH SEPARATOR}": "\n",
    }
)


class Alphabet(StrEnum):
    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class SmsSize:
    """`unit_count` counts septets in GSM-7 and sixteen-bit units in UCS-2; `part_count` is what is paid for."""

    alphabet: Alphabet
    unit_count: int
    part_count: int


_CAPACITY = {Alphabet.GSM7: (160, 153), Alphabet.UCS2: (70, 67)}  # units of a single part, of one of several


def fold(text: str) -> str:
    """`text` with curly quotes, long dashes and the like as plain signs, where that alone keeps it GSM-7.

    A text that needs UCS-2 anyhow stays as it was written. Line ends become `\\n`.
    """
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    folded = unified.translate(_FOLDED)
    return folded if _is_gsm7(folded) else unified


def measure(text: str) -> SmsSize:
    """The alphabet and the number of parts of `text` as it is; an empty text has one part."""
    alphabet = Alphabet.GSM7 if _is_gsm7(text) else Alphabet.UCS2
    widths = [_width(character, alphabet) for character in text]
    single, several = _CAPACITY[alphabet]
    units = sum(widths)
    return SmsSize(alphabet, units, 1 if units <= single else _count_parts(widths, several))


def _count_parts(widths: Iterable[int], capacity: int) -> int:
    parts, room = 0, 0
    for width in widths:
        if width > room:
            parts, room = parts + 1, capacity
        room -= width
    return parts


def _width(character: str, alphabet: Alphabet) -> int:
    if alphabet is Alphabet.GSM7:
        return 2 if character in _EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


def _is_gsm7(text: str) -> bool:
    return all(character in _BASIC or character in _EXTENSION for character in text)
