"""What `entry.*` and `steps.*` hold for whoever stands at a step: by which door they came, and what surely ran before.

A value that only some of them have is told apart from one that everybody has. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.suggest import did_you_mean
from customers.own_events import OWN_EVENTS
from journeys.checking.case import Case
from journeys.checking.flow import facts_on_arrival
from journeys.checking.words import iter_triggers, names_of
from journeys.graph import By, Way
from journeys.steps.contract import Step
from journeys.steps.wait_for import Afterwards
from segments.language.rules import AllOf, EventRule, Rule, StepRule

ANYTHING = "*"
_NOTHING = frozenset(
    {"email", "sms", "voice", "letter", "push", "wait", "wait_until", "set", "emit", "add_to", "remove_from", "choose",
     "split", "bandit", "holdout", "repeat", "goto", "exit", "start_journey"}
)  # fmt: skip
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "offer": ("items", "offer", "decision_id", "code", "code_ends_at"),
    "task": ("task_id",),
    "wait_for": ("event",),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """The step has left a value under `field`; with `given`, for those for whom that condition held."""

    step: str
    field: str
    given: Rule | None = None


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a value is not there, and the way out."""

    code: str
    why: str
    hint: str


class Sources:
    """What can be read at each step of one journey."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._facts = facts_on_arrival(case.journey, frozenset[Fact](), _along, frozenset.intersection, frozenset())
        self._doors = list(_doors(case))

    def find_lack(self, path: str, step: Step) -> Lack | None:
        """Why `path` (such as `entry.items` or `steps.reco.items`) cannot be read by everybody at `step`, if so."""
        root, *names = path.split(".")
        if root == "entry" and names:
            return self._entry(names[0])
        if root == "steps" and len(names) > 1:
            return self._result(names[0], names[1], step)
        return None

    def _entry(self, name: str) -> Lack | None:
        closed = [door.label for door in self._doors if door.brings is not None and not door.can_bring(name)]
        if closed:
            why = f"whoever enters {closed[0]} brings no `entry.{name}`"
            return Lack("E123", why, "supply it by `with` or `defaults`, or enter by an event that has it")
        return self._undeclared(name)

    def find_lack_of_all(self, name: str) -> Lack | None:
        """Why `entry.<name>` is there for nobody, if so: a condition may well ask what only some have."""
        if self._doors and not any(door.can_bring(name) for door in self._doors):
            labels = " or ".join(dict.fromkeys(door.label for door in self._doors))
            hint = "ask for something else, or enter by an event that has it"
            return Lack("E123", f"whoever enters {labels} brings no `entry.{name}`", hint)
        return self._undeclared(name)

    def _undeclared(self, name: str) -> Lack | None:
        declared = {one for door in self._doors for one in door.declared or ()}
        if any(door.can_bring(name) for door in self._doors) and not any(door.may_bring(name) for door in self._doors):
            hint = did_you_mean(name, declared) or "declare it in workspace.yaml, or correct the name"
            return Lack("W201", f"no event by which people enter here declares '{name}'", hint)
        return None

    def _result(self, name: str, field: str, step: Step) -> Lack | None:
        other = self._case.journey.by_id.get(name)
        if other is None:
            ids = [one.id for one in self._case.steps if one.has_own_id]
            return Lack("E123", f"the journey has no step '{name}'", did_you_mean(name, ids) or "give a step this id")
        fields = _fields(other)
        if field not in fields and ANYTHING not in fields:
            known = f"it leaves {', '.join(fields)}" if fields else "an offer, a task or a wait_for leaves some"
            return Lack("E123", f"the step '{name}' leaves no '{field}'", did_you_mean(field, fields) or known)
        facts = self._facts.get(step.id)
        if facts is None or _is_asked_for(name, step.condition):
            return None  # nobody comes here, or only those who were there
        givens = [None, *_required(step.condition)]
        if any(Fact(name, one, given) in facts for one in (field, ANYTHING) for given in givens):
            return None
        if not self._case.can_precede(name, step.id):
            return Lack("E123", f"nobody who arrives here has been at '{name}'", "refer to a step that lies before it")
        hint = f"ask `if: {{step: {name}, was: done}}` first, or give a default"
        return Lack("E123", f"not everybody who arrives here has '{field}' from '{name}'", hint)


def _required(condition: Rule | None) -> Iterator[Rule]:
    """What surely holds for those who pass `condition`."""
    if condition is not None:
        yield condition
        if isinstance(condition, AllOf):
            yield from condition.rules


def _is_asked_for(name: str, condition: Rule | None) -> bool:
    return any(isinstance(rule, StepRule) and rule.step == name and rule.was == "done" for rule in _required(condition))


# -- what steps leave --------------------------------------------------------------------------------------------------


def _along(step: Step, way: Way, facts: frozenset[Fact]) -> frozenset[Fact]:
    fields = _fields(step)
    if not fields or step.is_disabled:
        return facts
    unsure = frozenset(Fact(step.id, field, step.condition) for field in fields) if step.condition else frozenset()
    if way.by is By.PASSED:
        return facts | unsure
    if _has_left_them(step, way):
        return facts | unsure | {Fact(step.id, field) for field in fields}
    return facts


def _fields(step: Step) -> tuple[str, ...]:
    """The names under which `step` leaves values."""
    name = step.verb.name
    return () if name in _NOTHING else _FIELDS.get(name, (ANYTHING,))


def _has_left_them(step: Step, way: Way) -> bool:
    if step.verb.name != "wait_for":
        return way.by is not By.BLOCK
    if not all(isinstance(item.rule, EventRule) for item in step.action.items):
        return False  # a state that was true has no event
    if way.by is By.BLOCK:
        return way.block == "then"
    return "then" not in step.blocks and step.action.on_timeout is not Afterwards.CONTINUE


# -- what people bring -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Door:
    """One way in. `brings` are all the values that there can be, None where nobody can tell; `declared` those of events
    that workspace.yaml describes, None where it does not.
    """

    label: str
    brings: frozenset[str] | None = None
    declared: frozenset[str] | None = None

    def can_bring(self, name: str) -> bool:
        return self.brings is None or name in self.brings

    def may_bring(self, name: str) -> bool:
        """Whether nothing speaks against it, the declaration of the event included."""
        return self.can_bring(name) and (self.declared is None or name in self.declared)


def _doors(case: Case) -> Iterator[_Door]:
    workspace = case.known.workspace
    events = {**OWN_EVENTS, **workspace.events} if workspace is not None else {}
    for _, written in iter_triggers(case):
        if "event" in written:
            for name in names_of(written["event"]):
                properties = events[name].properties if name in events else None
                declared = None if properties is None else frozenset(properties)
                yield _Door(f"by '{name}'", declared=declared)
        elif "api" in written:
            schema = written.get("schema") or {}
            closed = schema.get("additionalProperties") is False
            yield _Door("by the API", frozenset(schema.get("properties") or ()) if closed else None)
        else:
            word = next((word for word in ("schedule", "at", "date", "segment") if word in written), "segment")
            name = f" '{written['segment']}'" if word == "segment" else ""
            yield _Door(f"by the {word}{name}", frozenset())
    for names in case.known.started_with.get(case.journey.slug, ()):
        yield _Door("by another journey's `start_journey`", names)
