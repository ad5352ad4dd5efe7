"""Whether a journey that could be read makes sense: its steps among each other, and the names of other files.

Pure: what exists is given as sets of names. Each rule is one function in `_RULES`; all of them run, so that everything
that is wrong is found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.errors import Fault
from core.located import Located
from journeys.checking.case import Case, Known
from journeys.checking.circles import check_circles
from journeys.checking.conditions import branches_in_vain, settled_conditions, wrong_arms
from journeys.checking.consent import consent_paths
from journeys.checking.dates import dates
from journeys.checking.hours import closed_hours
from journeys.checking.limits import starved
from journeys.checking.names import other_files, untracked_opens
from journeys.checking.reach import mails_in_a_row, unreached
from journeys.checking.references import answers, gotos, step_references
from journeys.checking.values import goal_is_entry, reentries, timeouts
from journeys.checking.variables import variables
from journeys.checking.versions import epoch, ids_of_waiting, removed
from journeys.checking.windows import closed_windows
from journeys.checking.words import undeclared
from journeys.model import Journey

__all__ = ["Known", "check_circles", "check_journey"]


def check_journey(
    journey: Journey, located: Located, known: Known | None = None, before: Journey | None = None
) -> list[Fault]:
    """Everything else that is wrong with `journey`, sorted by place.

    `before` is the version in force, where there is one: a live experiment may not change under its people.
    """
    case = Case(journey, known or Known(), before, located)
    return sorted({fault for rule in _RULES for fault in rule(case)})


_RULES: tuple[Callable[[Case], Iterator[Fault]], ...] = (
    step_references,
    gotos,
    answers,
    unreached,
    mails_in_a_row,
    settled_conditions,
    branches_in_vain,
    wrong_arms,
    other_files,
    untracked_opens,
    undeclared,
    dates,
    variables,
    consent_paths,
    closed_windows,
    closed_hours,
    starved,
    timeouts,
    reentries,
    goal_is_entry,
    ids_of_waiting,
    epoch,
    removed,
)
