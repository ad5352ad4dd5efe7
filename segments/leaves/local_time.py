"""Conditions on the hour and the weekday where the person lives."""

from __future__ import annotations

from sqlalchemy import false, true

from segments.leaves.clocks import Clocks
from segments.rules import LocalTimeRule
from segments.values import Predicate


def local_time_predicate(rule: LocalTimeRule, clocks: Clocks) -> Predicate:
    return clocks.predicate(rule, lambda is_covered: true() if is_covered is True else false())
