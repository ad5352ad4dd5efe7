"""What wall clocks show: worked out here for every zone that there is, so that SQL has no zone arithmetic to do.

Few answers come out of the many zones, and a condition lists the zones whose answer is not the workspace's. A profile
whose zone is missing or unknown lives in the workspace's. Clocks that jump or repeat an hour show what they show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import CTE, ColumnElement, case, select

from core.zones import find_zone, known_zones
from customers.tables import profile
from segments.compiling.predicates import Moment
from segments.compiling.values import Predicate
from segments.language.rules import AnniversaryRule, LocalTimeRule

Clocked = AnniversaryRule | LocalTimeRule


@dataclass(frozen=True, slots=True)
class Days:
    """[first, end) on somebody's calendar."""

    first: date
    end: date


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a rule makes of the wall clocks: `usual` in the workspace's zone, and where it is another."""

    usual: Hashable
    others: Mapping[Hashable, Sequence[str]]

    def column(self) -> ColumnElement[int]:
        """The place of a zone's answer among `others` from 1, and 0 for the usual one."""
        places = enumerate(self.others.values(), start=1)
        return case(*((profile.c.timezone.in_(names), place) for place, names in places), else_=0)


class Clocks:
    """What `rules` make of the wall clocks. `tables` has a row for each zone of everybody, to be outer-joined by
    `timezone`: to look for the zone in a long list is dear, and a few people are asked directly.
    """

    def __init__(self, rules: Iterable[Clocked], moment: Moment, batch: Sequence[int] | None) -> None:
        self._answers: dict[Clocked, _Answers] = {rule: _ask(rule, moment) for rule in rules}
        columns = {rule: answers.column() for rule, answers in self._answers.items() if answers.others}
        self.tables: list[CTE] = []
        if batch is None and columns:
            labels = {rule: f"answer_{number}" for number, rule in enumerate(columns, start=1)}
            named = [column.label(labels[rule]) for rule, column in columns.items()]
            zones = select(profile.c.timezone, *named).where(profile.c.timezone.is_not(None))
            table = zones.group_by(profile.c.timezone).cte("zones")
            self.tables.append(table)
            columns = {rule: table.c[label] for rule, label in labels.items()}
        self._columns = columns

    def predicate(self, rule: Clocked, of_answer: Callable[[Hashable], Predicate]) -> Predicate:
        """`of_answer` for whatever the clock of each profile says."""
        answers = self._answers[rule]
        if rule not in self._columns:
            return of_answer(answers.usual)
        column = self._columns[rule]
        whens = [(column == place, of_answer(answer)) for place, answer in enumerate(answers.others, start=1)]
        return case(*whens, else_=of_answer(answers.usual))


def _ask(rule: Clocked, moment: Moment) -> _Answers:
    def answer(wall: datetime) -> Hashable:
        if isinstance(rule, LocalTimeRule):
            return rule.covers(wall)
        return Days(wall.date(), wall.date() + timedelta(days=rule.days))

    usual = answer(moment.now.astimezone(moment.zone).replace(tzinfo=None))
    others: dict[Hashable, list[str]] = defaultdict(list)
    for name, wall in _wall_clocks(moment.now).items():
        found = answer(wall)
        if found != usual:
            others[found].append(name)
    return _Answers(usual, others)


@lru_cache(maxsize=4)  # one `now` serves many conditions
def _wall_clocks(now: datetime) -> Mapping[str, datetime]:
    zones = {name: find_zone(name) for name in sorted(known_zones())}
    return {name: now.astimezone(zone).replace(tzinfo=None) for name, zone in zones.items() if zone is not None}
