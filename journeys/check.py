"""Whether a journey that could be read makes sense: its steps among each other, and the names of other files.

Pure: what exists is given as sets of names. Each rule is one function in `_RULES`; all of them run, so that everything
that is wrong is found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from core.errors import Fault
from core.located import KeyPath, Located
from core.suggest import did_you_mean
from journeys.check_case import Case, Known
from journeys.check_names import other_files, untracked_opens
from journeys.graph import can_precede, reachable_from, ways_of
from journeys.model import EventEntry, Journey, JourneyStatus, Mode
from journeys.steps import wait_for
from journeys.steps.contract import NameKind, Step
from journeys.steps.holdout import HoldoutStep
from journeys.steps.split import Split
from segments.language.references import ReferenceKind, iter_references
from segments.language.rules import Rule

__all__ = ["Known", "check_circles", "check_journey"]


def check_journey(
    journey: Journey, located: Located, known: Known | None = None, before: Journey | None = None
) -> list[Fault]:
    """Everything else that is wrong with `journey`, sorted by place.

    `before` is the version in force, where there is one: a live experiment may not change under its people.
    """
    case = Case(journey, known or Known(), before, located, ways_of(journey))
    return sorted({fault for rule in _RULES for fault in rule(case)})


# -- references among steps --------------------------------------------------------------------------------------------


def _step_references(case: Case) -> Iterator[Fault]:
    """E111, E112: what is named must be a step, and one that can have run before."""
    own = case.journey.by_id
    for step in case.steps:
        for mention in step.mentions:
            if mention.kind is not NameKind.STEP or mention.path[-1:] == ("goto",):
                continue
            yield from _reference(case, mention.name, mention.path, step, known=own)
        for rule in step.rules:
            for name, path in _named_steps(case, rule):
                yield from _reference(case, name, path, step, known=own)
    for rule in case.journey.exits:
        for name, path in _named_steps(case, rule):
            if name not in own:
                yield _no_such_step(case, name, path)


def _named_steps(case: Case, rule: Rule) -> Iterator[tuple[str, KeyPath]]:
    """Steps that a condition names; `message` may also name a template of the project."""
    templates = case.known.templates or ()
    for reference in iter_references(rule):
        is_step = reference.kind is ReferenceKind.STEP
        if is_step or (reference.kind is ReferenceKind.MESSAGE and reference.name not in templates):
            yield reference.name, reference.path


def _reference(case: Case, name: str, path: KeyPath, step: Step, *, known: Mapping[str, Step]) -> Iterator[Fault]:
    if name not in known:
        yield _no_such_step(case, name, path)
    elif name != step.id and not can_precede(case.ways, name, step.id):
        hint = "refer to a step that lies before this one"
        yield case.fault("E112", path, f"nobody who arrives here can have been at '{name}'", hint)


def _no_such_step(case: Case, name: str, path: KeyPath) -> Fault:
    own_ids = [step.id for step in case.steps if step.has_own_id]
    return case.fault("E111", path, f"there is no step '{name}'", did_you_mean(name, own_ids))


def _gotos(case: Case) -> Iterator[Fault]:
    """E111, E113: a `goto` leads to a step further down."""
    order = {step_id: place for place, step_id in enumerate(case.journey.by_id)}
    for step in case.steps:
        target = step.verb.jumps_to(step.action)
        path = (*step.path, "goto")
        if target is None:
            continue
        if target not in order:
            yield _no_such_step(case, target, path)
        elif order[target] <= order[step.id]:
            yield case.fault("E113", path, f"'{target}' lies before this step", "use `repeat`, which has a `max`")


def _unreached(case: Case) -> Iterator[Fault]:
    """W114: the first step of each stretch that nobody comes to."""
    first = case.journey.first
    reached = reachable_from(case.ways, frozenset([first] if first else []))
    for steps in _lists(case.journey.steps):
        below_reached = [step for above, step in pairwise(steps) if above.id in reached and step.id not in reached]
        for step in below_reached[:1]:
            yield case.fault("W114", step.path, "nobody comes to this step", "move or remove it")


def _lists(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    yield steps
    for step in steps:
        for block in step.blocks.values():
            yield from _lists(block)


def _mails_in_a_row(case: Case) -> Iterator[Fault]:
    """W202."""
    for steps in _lists(case.journey.steps):
        for above, step in pairwise(steps):
            if above.verb.name == step.verb.name == "email" and above.condition is None and step.condition is None:
                yield case.fault("W202", step.path, "a mail directly after a mail", "put a `wait` between them")


# -- values ------------------------------------------------------------------------------------------------------------


def _timeouts(case: Case) -> Iterator[Fault]:
    """E134."""
    longest = case.journey.max_stay
    for step in case.steps:
        if step.verb is not wait_for.VERB:
            continue
        timeout, path = step.action.timeout, (*step.path, "timeout")
        if not timeout.as_elapsed():
            yield case.fault("E134", path, "a timeout of nothing waits for nothing", "write a longer one, such as 3d")
        elif timeout.as_elapsed() > longest.as_elapsed():
            message = f"nobody may stay so long: max_stay is {longest}"
            yield case.fault("E134", path, message, "shorten it, or write a longer `max_stay`")


def _reentries(case: Case) -> Iterator[Fault]:
    """E136."""
    reentry = case.journey.reentry
    if reentry.every is not None and reentry.every.as_elapsed() < timedelta(minutes=1):
        yield case.fault("E136", ("reenter", "every"), "the least distance is a minute", "write 1m or more")
    if case.journey.mode is Mode.PARALLEL and not reentry.is_allowed:
        message = "runs cannot be side by side when nobody may enter twice"
        yield case.fault("E136", ("reenter",), message, "leave out one of `mode: parallel` and `reenter: never`")


def _goal_is_entry(case: Case) -> Iterator[Fault]:
    """W203."""
    goal = case.journey.goal
    entries = {name for entry in case.journey.entries if isinstance(entry, EventEntry) for name in entry.names}
    if goal is not None and entries.intersection(goal.names):
        message = "the event that lets people in may be their goal at once"
        yield case.fault("W203", ("goal", "event"), message, "choose another goal, or narrow it by `where`")


# -- versions ----------------------------------------------------------------------------------------------------------


def _ids_of_waiting(case: Case) -> Iterator[Fault]:
    """E141."""
    if case.journey.status is not JourneyStatus.LIVE:
        return
    for step in case.steps:
        if step.verb.waits and not step.has_own_id:
            message = f"people wait at this `{step.verb.name}`, and a later version could not find it again"
            yield case.fault("E141", step.path, message, "give the step an `id`")


def _epoch(case: Case) -> Iterator[Fault]:
    """E140."""
    journey, before = case.journey, case.before
    if before is None or journey.status is not JourneyStatus.LIVE or journey.epoch > before.epoch:
        return
    hint = f"write epoch: {before.epoch + 1}"
    if journey.goal != before.goal:
        yield case.fault("E140", ("goal",), "the goal of a live journey changed", hint, at_key=True)
    if journey.holdout != before.holdout:
        yield case.fault("E140", ("holdout",), "the holdout of a live journey changed", hint, at_key=True)
    for step in case.steps:
        earlier = before.by_id.get(step.id)
        if earlier is not None and _seed(step) != _seed(earlier):
            yield case.fault("E140", (*step.path, "seed"), "the seed of a live test changed", hint, at_key=True)


def _seed(step: Step) -> str | None:
    return step.action.seed if isinstance(step.action, Split | HoldoutStep) else None


_RULES: tuple[Callable[[Case], Iterator[Fault]], ...] = (
    _step_references,
    _gotos,
    _unreached,
    _mails_in_a_row,
    other_files,
    untracked_opens,
    _timeouts,
    _reentries,
    _goal_is_entry,
    _ids_of_waiting,
    _epoch,
)


# -- journeys among each other -----------------------------------------------------------------------------------------


def check_circles(journeys: Mapping[str, tuple[Journey, Located]]) -> list[Fault]:
    """E122: journeys that start each other (or themselves) without a wait between."""
    started = {slug: _started_at_once(journey) for slug, (journey, _) in journeys.items()}
    faults = []
    for slug, (_, located) in journeys.items():
        for target, path in started[slug].items():
            way = _way(started, target, slug)
            if way is not None:
                message = f"these journeys start each other without a wait: {' → '.join([slug, *way])}"
                faults.append(located.fault("E122", path, message, "put a wait between them"))
    return sorted(faults)


def _started_at_once(journey: Journey) -> dict[str, KeyPath]:
    """The journeys that somebody starts who enters this one, before anything is waited for."""
    ways = ways_of(journey)
    open_ways = {
        step_id: frozenset[str]() if journey.by_id[step_id].verb.waits else following
        for step_id, following in ways.items()
    }
    first = journey.first
    reached = reachable_from(open_ways, frozenset([first] if first else []))
    steps = [journey.by_id[step_id] for step_id in journey.by_id if step_id in reached]
    return {str(step.action): (*step.path, "start_journey") for step in steps if step.verb.name == "start_journey"}


def _way(started: Mapping[str, Mapping[str, KeyPath]], start: str, goal: str) -> list[str] | None:
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        if way[-1] == goal:
            return way
        for target in started.get(way[-1], {}):
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return None
