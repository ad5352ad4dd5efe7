"""The customers: who they are, where they live, where their mail goes and what they agreed to.

Every address lies in a zone below `sandbox.invalid`, which exists nowhere and which only the local sandbox accepts.
The local part tells the sandbox how to treat the mail: `bounce+`, `complaint+`, `ooto+`.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from examples.shop.calendar_shape import HOURS
from examples.shop.names import names_of
from examples.shop.phones import fictional_numbers
from examples.shop.truth import Persona

Rng = np.random.Generator

# country -> (share of customers, [(zone, city, share)], locales)
COUNTRIES: Final[dict[str, tuple[float, list[tuple[str, str, float]], list[str]]]] = {
    "GB": (0.55, [("Europe/London", city, share) for city, share in
                  (("London", 0.4), ("Bristol", 0.12), ("Leeds", 0.12), ("Edinburgh", 0.12), ("Bath", 0.08),
                   ("Cardiff", 0.08), ("Belfast", 0.08))], ["en-GB"]),
    "DE": (0.12, [("Europe/Berlin", city, share) for city, share in
                  (("Berlin", 0.4), ("Hamburg", 0.3), ("Köln", 0.3))], ["de-DE"]),
    "US": (0.09, [("America/New_York", "New York", 0.45), ("America/Chicago", "Chicago", 0.25),
                  ("America/Denver", "Denver", 0.1), ("America/Los_Angeles", "Portland", 0.2)], ["en-US"]),
    "FR": (0.08, [("Europe/Paris", city, share) for city, share in
                  (("Paris", 0.5), ("Lyon", 0.3), ("Nantes", 0.2))], ["fr-FR"]),
    "IE": (0.06, [("Europe/Dublin", "Dublin", 0.7), ("Europe/Dublin", "Galway", 0.3)], ["en-IE"]),
    "NL": (0.04, [("Europe/Amsterdam", "Utrecht", 1.0)], ["nl-NL"]),
    "AU": (0.03, [("Australia/Sydney", "Sydney", 0.6), ("Australia/Perth", "Perth", 0.4)], ["en-AU"]),
    "CA": (0.03, [("America/Toronto", "Toronto", 0.6), ("America/Vancouver", "Vancouver", 0.4)], ["en-CA", "fr-CA"]),
}  # fmt: skip

_SPELLING: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ş": "s", "'": ""})


@dataclass(frozen=True, slots=True)
class Person:
    """One customer as `profiles.csv` tells it. Instants are aware and UTC; an absent value is ''."""

    external_id: str
    email: str
    phone: str
    first_name: str
    last_name: str
    birthday: str
    country: str
    city: str
    timezone: str
    locale: str
    signed_up_at: datetime
    consent_email: str
    consent_email_at: datetime | None
    consent_sms: str
    consent_sms_at: datetime | None
    persona: Persona


def people(seed: int, count: int, now: datetime) -> list[Person]:
    """`count` customers in the order in which they signed up, over the four years before `now`."""
    rng = np.random.default_rng((seed, 2))
    countries = rng.choice(list(COUNTRIES), size=count, p=[share for share, _, _ in COUNTRIES.values()])
    phones = _phones(rng, countries)
    # 40 % of the customers came in the last fourteen months; sqrt lets the shop grow.
    ages = np.where(rng.random(count) < 0.4, rng.random(count) * 425, 425 + (1 - np.sqrt(rng.random(count))) * 1000)
    clocks = rng.choice(24, size=count, p=HOURS / HOURS.sum()) * 3600 + rng.integers(0, 3600, count)
    midnights = [
        (now - timedelta(days=1 + float(days))).replace(hour=0, minute=0, second=0, microsecond=0) for days in ages
    ]
    signed_up = sorted(
        midnight + timedelta(seconds=int(clock)) for midnight, clock in zip(midnights, clocks, strict=True)
    )
    taken: set[str] = set()
    return [
        _person(rng, f"fk-{number:05d}", str(country), phone, signed_up_at, now, taken)
        for number, (country, phone, signed_up_at) in enumerate(zip(countries, phones, signed_up, strict=True), start=1)
    ]


def local_part(first_name: str, last_name: str) -> str:
    """`anna.mueller` for Anna Müller: ASCII, lower case."""
    text = f"{first_name}.{last_name}".lower().translate(_SPELLING)
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _phones(rng: Rng, countries: np.ndarray) -> list[str]:
    wanted = rng.random(len(countries)) < 0.68  # some countries have no fictional numbers: about 60 % remain
    phones = [""] * len(countries)
    for country in COUNTRIES:
        places = np.flatnonzero(wanted & (countries == country))
        for place, number in zip(places, fictional_numbers(rng, country, len(places)), strict=False):
            phones[place] = number
    return phones


def _person(
    rng: Rng,
    external_id: str,
    country: str,
    phone: str,
    signed_up_at: datetime,
    now: datetime,
    taken: set[str],
) -> Person:
    _, places, locales = COUNTRIES[country]
    firsts, lasts = names_of(country)
    first, last = firsts[int(rng.integers(len(firsts)))], lasts[int(rng.integers(len(lasts)))]
    zone, city, _ = places[int(rng.choice(len(places), p=[share for _, _, share in places]))]
    persona = Persona(
        rng.choice(["reader", "gmail", "apple_mpp", "scanner", "silent"], p=[0.30, 0.30, 0.15, 0.12, 0.13])
    )
    email_state, email_at = _consent(rng, signed_up_at, now, granted=0.70, denied=0.12)
    sms_state, sms_at = _consent(rng, signed_up_at, now, granted=0.55, denied=0.10) if phone else ("", None)
    return Person(
        external_id=external_id,
        email=_address(rng, local_part(first, last), persona, taken),
        phone=phone,
        first_name=first,
        last_name=last,
        birthday=_birthday(rng, now.date()) if rng.random() < 0.7 else "",
        country=country,
        city=city if rng.random() < 0.9 else "",
        timezone=zone if rng.random() < 0.93 else "",
        locale=locales[int(rng.integers(len(locales)))],
        signed_up_at=signed_up_at,
        consent_email=email_state,
        consent_email_at=email_at,
        consent_sms=sms_state,
        consent_sms_at=sms_at,
        persona=persona,
    )


def _address(rng: Rng, local: str, persona: Persona, taken: set[str]) -> str:
    mailbox = rng.random()
    prefix = "bounce+" if mailbox < 0.015 else "complaint+" if mailbox < 0.018 else "ooto+" if mailbox < 0.028 else ""
    if persona is Persona.GMAIL:
        domain = "gmail"
    elif persona is Persona.APPLE_MPP:
        domain = "icloud"
    elif persona is Persona.SCANNER:
        domain = "corp"
    else:
        domain = str(rng.choice(["outlook", "yahoo", "mail", "gmail"], p=[0.4, 0.2, 0.3, 0.1]))
    address, number = f"{prefix}{local}@{domain}.sandbox.invalid", 2
    while address in taken:
        address, number = f"{prefix}{local}{number}@{domain}.sandbox.invalid", number + 1
    taken.add(address)
    return address


def _birthday(rng: Rng, today: date) -> str:
    age_days = int((19 + 60 * rng.beta(2, 2.6)) * 365.25)
    return (today - timedelta(days=age_days)).isoformat()


def _consent(
    rng: Rng, signed_up_at: datetime, now: datetime, *, granted: float, denied: float
) -> tuple[str, datetime | None]:
    """A grant is given at sign-up; a withdrawal comes later; the rest were never asked."""
    draw, later = rng.random(), rng.random()
    if draw < granted:
        return "granted", signed_up_at
    if draw < granted + denied:
        seconds = int((now - signed_up_at).total_seconds() * later)
        return "denied", (signed_up_at + timedelta(seconds=seconds)).astimezone(UTC)
    return "", None
