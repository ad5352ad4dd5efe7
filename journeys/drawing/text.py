"""How wide text is and how it is cut to fit, without a font: the widths of Helvetica, with room for others.

Widths are those of the Adobe font metrics of Helvetica in thousandths of the size, by groups of letters; the fonts that
a reader may have instead may be a little wider, which `ROOM` allows for. Pure.
"""

from __future__ import annotations

from itertools import chain

ROOM = 1.08
_BOLD = 1.06
_GROUPS = {
    222: "ijl'|",
    278: "ft.,:;/\\ ![]·",
    333: "r-()`",
    389: '*"',
    500: "cksvxyzJ",
    584: "+<=>~≥≤",
    611: "FTZ",
    667: "ABEKPSVXY&",
    722: "CDHNRUw",
    778: "GOQ",
    833: "mM",
    944: "W%",
    1000: "—…@",
}
_WIDTHS = dict(chain.from_iterable(((letter, width) for letter in letters) for width, letters in _GROUPS.items()))
_OTHERS, _WIDE, _FIRST_WIDE = 556, 1000, 0x1100  # Chinese, Korean and Japanese letters fill a square
ELLIPSIS = "…"


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """In the unit of `size`, rather too much than too little."""
    thousandths = sum(_WIDTHS.get(letter, _OTHERS if ord(letter) < _FIRST_WIDE else _WIDE) for letter in text)
    return thousandths / 1000 * size * ROOM * (_BOLD if bold else 1)


def fit(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """`text`, cut with an ellipsis where it is wider than `room`."""
    if width_of(text, size, bold=bold) <= room:
        return text
    kept = text
    while kept and width_of(kept + ELLIPSIS, size, bold=bold) > room:
        kept = kept[:-1]
    return kept.rstrip() + ELLIPSIS


def wrap(text: str, room: float, size: float, lines: int) -> list[str]:
    """`text` in at most `lines` lines, broken at spaces; the last one is cut where there is more."""
    words, broken = text.split(), [""]
    for place, word in enumerate(words):
        longer = f"{broken[-1]} {word}".strip()
        if width_of(longer, size) <= room or not broken[-1]:
            broken[-1] = longer
        elif len(broken) < lines:
            broken.append(word)
        else:
            broken[-1] = " ".join([broken[-1], *words[place:]])
            break
    return [fit(line, room, size) for line in broken if line]
