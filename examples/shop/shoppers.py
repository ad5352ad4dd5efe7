"""What a few people do in the shop while the demo runs: they open accounts, and fill baskets that they may forget.

Seeded by a hash of person and deed, so that a run can be repeated. Pure: what happens when; posting it is for the demo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

_SIGN_UPS, _BASKETS = 0.02, 0.035  # of everybody
_COMPLETES = 0.5  # of those who open an account, the profile
_COMES_BACK, _EMPTIES, _BUYS = 0.35, 0.12, 0.2  # of those who fill a basket
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_SPAN = 4 * _DAY  # in which everything begins, so that its journeys can be seen to the end
_CHEAPEST, _DEAREST = 12, 240


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that somebody does. `event` is its name for the event specification, "" for an order."""

    at: datetime
    external_id: str
    event: str
    key: str
    properties: dict[str, Any] = field(default_factory=dict)

    def as_call(self) -> dict[str, Any]:
        """The track call that the shop's server posts."""
        return {
            "type": "track",
            "event": self.event,
            "messageId": self.key,
            "userId": self.external_id,
            "timestamp": self.at.isoformat(),
            "properties": self.properties,
        }


def deeds(people: Iterable[str], start: datetime, seed: int) -> Iterator[Deed]:
    """Everything that `people` (external ids) do in the days from `start` on, in no order."""
    for external_id in people:
        if _chance(seed, external_id, "signs up") < _SIGN_UPS:
            yield from _account(external_id, start, seed)
        if _chance(seed, external_id, "fills a basket") < _BASKETS:
            yield from _basket(external_id, start, seed)


def _account(external_id: str, start: datetime, seed: int) -> Iterator[Deed]:
    at = start + _SPAN * _chance(seed, external_id, "signs up at")
    source = "web" if _chance(seed, external_id, "source") < 0.7 else "app"
    yield Deed(at, external_id, "Signed Up", f"account-{external_id}", {"source": source})
    if _chance(seed, external_id, "completes") < _COMPLETES:
        later = at + _HOUR + 36 * _HOUR * _chance(seed, external_id, "completes at")
        yield Deed(later, external_id, "Profile Completed", f"profile-{external_id}")


def _basket(external_id: str, start: datetime, seed: int) -> Iterator[Deed]:
    at = start + _SPAN * _chance(seed, external_id, "basket at")
    basket, value = (
        f"basket-{external_id}",
        _CHEAPEST + (_DEAREST - _CHEAPEST) * _chance(seed, external_id, "value") ** 3,
    )
    items = 1 + int(value / 40)
    holds = {"cart_id": basket, "value": round(value, 2), "currency": "GBP", "items": items}
    yield Deed(at, external_id, "Cart Updated", f"{basket}-1", holds)
    if _chance(seed, external_id, "comes back") < _COMES_BACK:
        at += timedelta(minutes=40)
        yield Deed(at, external_id, "Cart Updated", f"{basket}-2", {**holds, "items": items + 1})
    end = _chance(seed, external_id, "end")
    if end < _EMPTIES:
        yield Deed(at + timedelta(minutes=25), external_id, "Cart Emptied", f"{basket}-3", {"cart_id": basket})
    elif end < _EMPTIES + _BUYS:
        yield Deed(at + 4 * _HOUR + _DAY * _chance(seed, external_id, "buys at"), external_id, "", f"{basket}-order")


def _chance(seed: int, *about: str) -> float:
    """A number in [0, 1) that is the same whenever the same is asked."""
    digest = hashlib.sha256(f"{seed}:{':'.join(about)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
