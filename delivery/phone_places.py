"""Where a telephone number is at home: its country, and every time zone in which its owner may be."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from core.zones import find_zone


@dataclass(frozen=True, slots=True)
class PhonePlace:
    """`country` is its ISO 3166 code; `zones` is empty where nothing is known of them."""

    country: str | None
    zones: tuple[ZoneInfo, ...]


def place_of(number: str) -> PhonePlace:
    """The place of a number in E.164. A mobile number of a wide country may be in any of its zones."""
    import phonenumbers
    from phonenumbers.timezone import time_zones_for_number

    parsed = phonenumbers.parse(number)
    country = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
    zones = (find_zone(name) for name in time_zones_for_number(parsed))
    return PhonePlace(
        country if country and country.isalpha() and country != "ZZ" else None,
        tuple(zone for zone in zones if zone is not None),
    )
