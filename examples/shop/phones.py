"""Telephone numbers that regulators keep for fiction, so that no generated number can ring anywhere.

Only ranges that libphonenumber takes for valid are used; the United Kingdom's fictional *mobile* range (07700 900xxx)
and the Irish one are not among them, so people there have land lines or none.
"""

from __future__ import annotations

from typing import Final

import numpy as np

_UK_CITIES: Final = (
    "2079460",
    "1134960",
    "1144960",
    "1154960",
    "1164960",
    "1174960",
    "1184960",
    "1214960",
    "1314960",
)
_US_AREAS: Final = (
    "212",
    "213",
    "305",
    "312",
    "404",
    "415",
    "503",
    "512",
    "617",
    "702",
    "713",
    "215",
    "206",
    "303",
)
_CA_AREAS: Final = ("416", "604", "514", "403", "613", "902")

# country -> ranges of (prefix, digits that follow), those for mobile phones first
FICTION: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "GB": tuple((f"+44{city}", 3) for city in _UK_CITIES),
    "DE": (("+4917139200", 2), ("+49176040690", 2), ("+493023125", 3), ("+494066969", 3), ("+496990009", 3)),
    "FR": (("+3319900", 4), ("+3326191", 4)),
    "US": tuple((f"+1{area}55501", 2) for area in _US_AREAS),
    "CA": tuple((f"+1{area}55501", 2) for area in _CA_AREAS),
    "AU": (("+61491570", 0), ("+6125550", 4), ("+6135550", 4)),
}
_AU_MOBILES: Final = ("006", "156", "157", "158", "159", "110", "313", "737")


def fictional_numbers(rng: np.random.Generator, country: str, count: int) -> list[str]:
    """Up to `count` different numbers in E.164; fewer where fiction has no more of them, none for other countries."""
    numbers: list[str] = []
    for prefix, digits in FICTION.get(country, ()):
        if len(numbers) >= count:
            break
        endings = _AU_MOBILES if digits == 0 else [f"{n:0{digits}d}" for n in range(10**digits)]
        numbers += [prefix + endings[i] for i in rng.permutation(len(endings))]
    return numbers[:count]
