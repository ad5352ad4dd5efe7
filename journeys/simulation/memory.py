"""What one simulated person did so far, in the order in which it happened, found by name."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from journeys.questions import Event


class Known(Struct, frozen=True, gc=False):
    """One event; `plain` are the properties that conditions of segments see: those that are not sealed."""

    event: Event
    plain: Mapping[str, Any]

    @property
    def order(self) -> tuple[datetime, int]:
        return self.event.order


class Memory:
    """The log of one person. What becomes known late takes the place of the instant at which it happened."""

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[str, list[Known]] = {}

    def add(self, known: Known) -> None:
        row = self._by_name.setdefault(known.event.name, [])
        if not row or row[-1].order <= known.order:
            row.append(known)
        else:
            insort(row, known, key=_order)

    def find(self, names: Sequence[str], since: datetime | None) -> list[Known]:
        """The events called one of `names` from `since` on (None: ever), earliest first."""
        rows = [row for name in names if (row := self._by_name.get(name))]
        found = [known for row in rows for known in (row if since is None else row[_first(row, since) :])]
        if len(rows) > 1:
            found.sort(key=_order)
        return found

    def happened(self, names: Sequence[str], since: datetime) -> tuple[Event, ...]:
        return tuple(known.event for known in self.find(names, since))


def _first(row: Sequence[Known], since: datetime) -> int:
    return bisect_left(row, (since, -1), key=_order)


def _order(known: Known) -> tuple[datetime, int]:
    return known.event.order
