"""What messages cost by public list prices, and how long the provider's rate would take for them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """A list price: `amount` of `currency` for 1,000 messages, as its owner published it on `as_of`."""

    amount: Decimal
    currency: str
    of: str
    as_of: date


# Amazon SES, "Pricing": outbound e-mail without attachments and dedicated addresses.
# Texts and calls are priced by country and route, which no list can stand for.
PRICES: Mapping[str, Price] = {
    "email": Price(Decimal("0.10"), "USD", "Amazon SES list price", date(2026, 1, 1)),
}


@dataclass(frozen=True, slots=True)
class Load:
    """The busiest minute (as minutes since 1970), and how late the last message would be at `rate` a second."""

    minute: int
    count: int
    rate: float | None = None
    latest_s: float | None = None


def cost_of(channel: str, count: int) -> Decimal | None:
    """The cost in the price's currency; None where no price is known."""
    price = PRICES.get(channel)
    return None if price is None else price.amount * count / 1_000


def load_of(minutes: Mapping[int, int], rate: float | None) -> Load | None:
    """What `minutes` (messages by minute) ask of a provider that takes `rate` messages a second; None of nothing."""
    if not minutes:
        return None
    busiest = max(sorted(minutes), key=lambda minute: minutes[minute])
    if rate is None or rate <= 0:
        return Load(busiest, minutes[busiest])
    waiting = latest = 0.0
    last = min(minutes)
    for minute in sorted(minutes):
        waiting = max(0.0, waiting - (minute - last) * 60 * rate) + minutes[minute]
        latest = max(latest, waiting / rate)
        last = minute
    return Load(busiest, minutes[busiest], rate, latest)
