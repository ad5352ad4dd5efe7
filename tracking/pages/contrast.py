"""Colours that can be read: contrast as WCAG 2.2 computes it, and a brand's colour brought to it. Pure.

Colours are `#rrggbb`.
"""

from __future__ import annotations

from typing import Final

AA_TEXT: Final = 4.5  # WCAG 2.2, 1.4.3, for text of any size
AA_PART: Final = 3.0  # WCAG 2.2, 1.4.11, for what is no text: borders, ticks, focus

_STEPS: Final = 50


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def text_colour_on(background: str) -> str:
    """Black or white, whichever stands out more: at least 4.58 to 1 on any colour."""
    return max("#ffffff", "#000000", key=lambda colour: contrast(colour, background))


def readable_on(background: str, colour: str, ratio: float = AA_TEXT) -> str:
    """`colour`, made as much darker or lighter as it takes to stand out from `background` by `ratio`."""
    end = text_colour_on(background)
    mixed = (_mix(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((one for one in mixed if contrast(one, background) >= ratio), end)


def _luminance(colour: str) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _parts(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mix(one: str, other: str, share: float) -> str:
    mixed = (a + (b - a) * share for a, b in zip(_parts(one), _parts(other), strict=True))
    return "#" + "".join(f"{round(part * 255):02x}" for part in mixed)


def _parts(colour: str) -> list[float]:
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
