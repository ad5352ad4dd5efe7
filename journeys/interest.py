"""Which events a journey must hear of, so that the others pass by without anybody being loaded. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from journeys.conditions import HAPPENINGS
from journeys.model import Journey
from journeys.steps import wait_for
from journeys.steps.messages import ENDINGS
from segments.language.rules import (
    BranchRule,
    Constant,
    EntryRule,
    EventRule,
    MessageRule,
    Rule,
    SequenceRule,
    StepRule,
    iter_leaves,
)

# What journeys report of themselves changes nobody's state.
_OWN_REPORTS = frozenset({"journey_started", "journey_entered", "journey_exited", "goal_reached"})
_OF_THE_RUN = (BranchRule, StepRule, EntryRule, Constant)


@dataclass(frozen=True, slots=True)
class Interest:
    """`goal`: names that may be the goal, also for a run that has ended. `names`: all names that may matter.

    `any_event`: an exit or a wait depends on the profile's state, which any event may have changed.
    """

    goal: frozenset[str]
    exits: frozenset[str]
    names: frozenset[str]
    any_exit: bool
    any_event: bool

    def concerns(self, name: str, *, has_ended: bool) -> bool:
        """Whether somebody who is inside (or was) must hear of an event called `name`; waits are found by name."""
        if name in self.goal:
            return True
        if has_ended:
            return False
        return name in self.exits or (self.any_exit and name not in _OWN_REPORTS)


def interest_of(journey: Journey) -> Interest:
    goal = frozenset(journey.goal.names if journey.goal else ())
    exits, any_exit = _names(journey.exits)
    waited: set[str] = set()
    any_wait = False
    for step in journey.by_id.values():
        if step.verb is wait_for.VERB:
            names, any_state = _names(item.rule for item in step.action.items)
            waited |= names
            any_wait |= any_state
    late = frozenset(waited)
    return Interest(
        goal=goal,
        exits=exits | late,
        names=goal | exits | late | frozenset(ENDINGS),
        any_exit=any_exit,
        any_event=any_exit or any_wait,
    )


def _names(rules: Iterable[Rule]) -> tuple[frozenset[str], bool]:
    """The events that can change what these rules say, and whether any other event can too."""
    names: set[str] = set()
    any_state = False
    for rule in rules:
        for leaf in iter_leaves(rule):
            if isinstance(leaf, EventRule):
                names.update(leaf.names)
            elif isinstance(leaf, SequenceRule):
                names.update(name for part in leaf.parts for name in part.names)
            elif isinstance(leaf, MessageRule):
                names.add(HAPPENINGS[leaf.was])
            elif not isinstance(leaf, _OF_THE_RUN):
                any_state = True
    return frozenset(names), any_state
