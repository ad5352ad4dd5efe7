"""The answers to the engine's questions about one simulated person, each found when it is asked.

What the simulation knows itself comes from memory: events, attributes that stand in clear, whatever journeys changed.
The rest comes from the store; what is not there yet is collected in `missing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from customers.tables import ProfileStatus
from journeys.questions import ArmOf, Earned, Happened, Holds, ProfileValues, Question, UnansweredError
from journeys.simulation.plan import DidNotObject
from journeys.simulation.reckoning import events_hold, sequence_holds
from journeys.simulation.store import MissingError, Wanted
from segments.compiling.attributes import is_sealed
from segments.language.matcher import match_value
from segments.language.rules import (
    AttributeRule,
    Constant,
    EventRule,
    Leaf,
    ListRule,
    Rule,
    SequenceRule,
    evaluate,
)

if TYPE_CHECKING:
    from journeys.simulation.life import Life


class Answers(Mapping[Question, Any]):
    """Every question as a key; one that must be read first is no key yet."""

    __slots__ = ("_life", "missing")

    def __init__(self, life: Life) -> None:
        self._life = life
        self.missing: list[Wanted] = []

    def __getitem__(self, question: Question) -> Any:
        try:
            return self._find(question)
        except MissingError as error:
            self.missing.append(error.wanted)
            raise KeyError(question) from None

    def __iter__(self) -> Iterator[Question]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def ask(self, question: Question) -> Any:
        try:
            return self[question]
        except KeyError:
            raise UnansweredError(frozenset({question})) from None

    def _find(self, question: Question) -> Any:
        life = self._life
        match question:
            case Happened(names=names, since=since):
                if since < life.plan.start:
                    for name in names:
                        life.remember(name)
                return life.memory.happened(names, since)
            case Holds(rule=rule):
                return self.holds(rule)
            case ArmOf() if question in life.arms:
                return life.arms[question]
            case Earned():  # by everybody together, so that only what is stored can be known of it
                question = replace(question, known_until=min(question.known_until, life.plan.start))
        found = life.store.find(question, life.customer.person.id, life.now)
        if isinstance(question, ProfileValues) and life.set_values:
            return {**found, **life.set_values}
        return found

    def holds(self, rule: Rule) -> bool:
        """Whether a rule without leaves of a journey's own holds. Raises MissingError."""
        life = self._life
        if life.customer.person.status is not ProfileStatus.ACTIVE:
            return False
        return evaluate(life.plan.without_segments(rule), self._leaf)

    def _leaf(self, leaf: Leaf) -> bool:
        known = _FROM_MEMORY.get(type(leaf))
        found = known(leaf, self._life) if known is not None else None
        if found is None:
            life = self._life
            found = bool(life.store.find(Holds(leaf), life.customer.person.id, life.now))
        return found


def _constant(leaf: Constant, _life: Life) -> bool:
    return leaf.holds


def _did_not_object(_leaf: DidNotObject, life: Life) -> bool:
    return not life.customer.has_objected


def _attribute(leaf: AttributeRule, life: Life) -> bool | None:
    if leaf.name in life.set_values:
        value = life.set_values[leaf.name]
    elif is_sealed(leaf.name, life.plan.workspace):
        return None
    else:
        value = life.customer.attributes.get(leaf.name)
    return match_value(leaf.matcher, value, now=life.now, zone=life.plan.zone)


def _list(leaf: ListRule, life: Life) -> bool | None:
    return life.lists.get(leaf.slug)


def _event(leaf: EventRule, life: Life) -> bool:
    start = leaf.starts_at(life.now)
    if start is None or start < life.plan.start:
        for name in leaf.names:
            life.remember(name)
    return events_hold(leaf, life.memory, life.now, life.plan.zone)


def _sequence(leaf: SequenceRule, life: Life) -> bool:
    if leaf.start is None or leaf.start < life.plan.start:
        for name in dict.fromkeys(name for part in leaf.parts for name in part.names):
            life.remember(name)
    return sequence_holds(leaf, life.memory, life.now, life.plan.zone)


_FROM_MEMORY: Mapping[type[Leaf], Callable[[Any, Life], bool | None]] = {
    Constant: _constant,
    DidNotObject: _did_not_object,
    AttributeRule: _attribute,
    ListRule: _list,
    EventRule: _event,
    SequenceRule: _sequence,
}
