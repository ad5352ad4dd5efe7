"""`add_to` and `remove_from`: put the person on a static list, or take him off it; twice is the same as once."""

from __future__ import annotations

from journeys.steps.contract import Decision, Done, NameKind, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.transition import ChangeList, ListChange


def _list_verb(name: str, change: ListChange) -> Verb:
    def parse(spec: StepSpec) -> ChangeList:
        spec.mention(NameKind.LIST, spec.data[name], name)
        return ChangeList(spec.data[name], change)

    return Verb(name, parse, advance)


def advance(step: Step, run: Run) -> Decision:
    run.effects.append(step.action)
    return Done()


ADD_TO = _list_verb("add_to", ListChange.ADD)
REMOVE_FROM = _list_verb("remove_from", ListChange.REMOVE)
