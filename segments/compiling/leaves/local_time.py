"""Conditions on the hour and the weekday where the person lives."""

from __future__ import annotations

from sqlalchemy import false, true

from segments.compiling.leaves.clocks import Clocks
from segments.compiling.values import Predicate
from segments.language.rules import LocalTimeRule


def local_time_predicate(rule: LocalTimeRule, clocks: Clocks) -> Predicate:
    return clocks.predicate(rule, lambda is_covered: true() if is_covered is True else false())
