"""Conditions on scores: the number kept of a person under a name, missing where it is older than `max_age`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import CTE, Select, literal, select

from core.columns import Instant
from insights.tables import score
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Element, Plain, Predicate
from segments.language.rules import ScoreRule


class Scores:
    """One table for each score that `leaves` ask for; `tables` holds them, to be outer-joined by `profile_id`."""

    def __init__(self, leaves: Iterable[ScoreRule], moment: Moment, batch: Sequence[int] | None) -> None:
        self._moment = moment
        asked = dict.fromkeys((leaf.name, leaf.max_age) for leaf in leaves)
        self._tables = {
            one: self._read(*one, batch).cte(f"score_{number}") for number, one in enumerate(asked, start=1)
        }

    @property
    def tables(self) -> list[CTE]:
        return list(self._tables.values())

    def predicate(self, leaf: ScoreRule) -> Predicate:
        number = self._tables[leaf.name, leaf.max_age].c.value
        return matches(Plain(Element(number=number), number), leaf.matcher, self._moment)

    def _read(self, name: str, max_age: timedelta | None, batch: Sequence[int] | None) -> Select[tuple[int, float]]:
        """A score of exactly `max_age` still counts, as events at the start of a window do."""
        query = select(score.c.profile_id, score.c.value).where(score.c.name == name)
        if max_age is not None:
            query = query.where(score.c.computed_at >= literal(self._moment.now - max_age, Instant()))
        return query if batch is None else query.where(score.c.profile_id.in_(batch))
