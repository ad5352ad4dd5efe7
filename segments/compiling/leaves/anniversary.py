"""Conditions on the yearly return of a date: birthdays, the day of joining, the end of a contract.

29 February returns on 28 February in years without one. The day itself counts, a date that is still to come does not
return yet. Of a sealed birthday the month and the day stand beside it in clear; other sealed dates are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, and_, false, func, literal, or_

from customers.tables import profile
from customers.workspace import Workspace
from segments.compiling.attributes import is_sealed
from segments.compiling.dialects import day_of, text_in
from segments.compiling.leaves.clocks import Clocks, Days
from segments.compiling.values import Predicate, definite
from segments.language.rules import BIRTHDAY, AnniversaryRule


def anniversary_predicate(rule: AnniversaryRule, clocks: Clocks, workspace: Workspace) -> Predicate:
    if rule.attribute == BIRTHDAY:
        born = profile.c.birth_month * 100 + profile.c.birth_day
        return clocks.predicate(rule, lambda days: definite(_returns(born, days, _as_number)))
    if is_sealed(rule.attribute, workspace):
        return false()
    day = day_of(text_in(profile.c.attributes, rule.attribute))
    month_day = func.substr(day, 6)

    def has_returned(days: Hashable) -> Predicate:
        assert isinstance(days, Days)
        return definite(and_(_returns(month_day, days, _as_text), day < literal(days.end.isoformat(), Text())))

    return clocks.predicate(rule, has_returned)


def _returns(month_day: ColumnElement[Any], days: Hashable, form: Callable[[date], ColumnElement[Any]]) -> Predicate:
    """Whether a day of the year lies in `days`. In years without it, 29 February lies between the 28th and 1 March."""
    assert isinstance(days, Days)
    since, until = month_day >= form(days.first), month_day < form(days.end)
    return and_(since, until) if days.first.year == days.end.year else or_(since, until)


def _as_number(day: date) -> ColumnElement[int]:
    return literal(day.month * 100 + day.day, Integer())


def _as_text(day: date) -> ColumnElement[str]:
    return literal(day.strftime("%m-%d"), Text())
