"""The edges of segments in a simulation: who comes in and who leaves, noted as the refresh of segments notes it.

Looked at whenever something happens to the person, and day by day where time alone can turn a segment. Production finds
those edges within a quarter of an hour; here they may be found a day late.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from journeys.simulation.answering import Answers
from journeys.simulation.store import MissingError, Wanted
from segments.language.rules import SegmentRule

if TYPE_CHECKING:
    from journeys.simulation.life import Life

_STEP = timedelta(days=1)


class Watch:
    """Which of the plan's segments one person is in. The first look is the state before anything happened."""

    __slots__ = ("_inside", "looks_at")

    def __init__(self) -> None:
        self._inside: dict[str, bool] = {}
        self.looks_at: datetime | None = None  # again, whatever happens

    def look(self, life: Life) -> Generator[Wanted, None, None]:
        plan = life.plan
        for slug in plan.watched:
            is_inside = yield from is_in(life, slug)
            was_inside = self._inside.get(slug, is_inside)
            self._inside[slug] = is_inside
            if is_inside is not was_inside:
                name = "segment_entered" if is_inside else "segment_left"
                life.happen(name, f"{name}:{slug}:{life.now.isoformat()}", {"segment": slug})
        if self.looks_at is None or self.looks_at <= life.now:
            days = (life.now - plan.start) // _STEP + 1
            self.looks_at = plan.start + days * _STEP if plan.time_turns else None


def is_in(life: Life, segment: str) -> Generator[Wanted, None, bool]:
    """Whether the person is in `segment` now."""
    rule = SegmentRule(segment)
    while True:
        try:
            return Answers(life).holds(rule)
        except MissingError as error:
            yield error.wanted
