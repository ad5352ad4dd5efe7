"""Steps that name steps: they must exist (E111), have run before (E112), lie further down (E113), and be able to give
the answer that is asked for (E115).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from core.errors import Fault
from core.located import KeyPath
from core.suggest import did_you_mean
from delivery.policy import Reason
from journeys.checking.case import Case
from journeys.steps.contract import NameKind, Step
from segments.language.references import ReferenceKind, iter_references
from segments.language.rules import BranchRule, Rule, iter_leaves

ELSE, TIMEOUT = "else", "timeout"
_MOST_SHOWN = 8
# How a message can have ended: what delivery reports, or why it was left out.
_ENDINGS = ("sent", "unknown", "skipped", *(reason.value for reason in Reason))
_MESSAGES = frozenset({"email", "sms", "voice", "letter", "webhook", "push"})


def step_references(case: Case) -> Iterator[Fault]:
    """E111, E112: what is named must be a step, and one that can have run before."""
    own = case.journey.by_id
    for step in case.steps:
        for mention in step.mentions:
            if mention.kind is NameKind.STEP and mention.path[-1:] != ("goto",):
                yield from _reference(case, mention.name, mention.path, step)
            if mention.kind is NameKind.MESSAGE_STEP and mention.name not in own:
                yield _no_such_step(case, mention.name, mention.path)
        for rule in step.rules:
            for name, path in _named_steps(case, rule):
                yield from _reference(case, name, path, step)
    for rule in case.journey.exits:
        for name, path in _named_steps(case, rule):
            if name not in own:
                yield _no_such_step(case, name, path)


def _named_steps(case: Case, rule: Rule) -> Iterator[tuple[str, KeyPath]]:
    """Steps that a condition names; `message` may also name a template of the project, where no step is called so."""
    own, templates = case.journey.by_id, case.known.templates or ()
    for reference in iter_references(rule):
        is_message = reference.kind is ReferenceKind.MESSAGE
        if reference.kind is ReferenceKind.STEP or (
            is_message and (reference.name in own or reference.name not in templates)
        ):
            yield reference.name, reference.path


def _reference(case: Case, name: str, path: KeyPath, step: Step) -> Iterator[Fault]:
    if name not in case.journey.by_id:
        yield _no_such_step(case, name, path)
    elif name != step.id and not case.can_precede(name, step.id):
        hint = "refer to a step that lies before this one"
        yield case.fault("E112", path, f"nobody who arrives here can have been at '{name}'", hint)
    elif path[-1:] == ("message",) and case.journey.by_id[name].verb.name not in _MESSAGES:
        verb = case.journey.by_id[name].verb.name
        yield case.fault("E111", path, f"the step '{name}' sends no message", f"ask for the {verb} by `step: {name}`")


def _no_such_step(case: Case, name: str, path: KeyPath) -> Fault:
    own_ids = [step.id for step in case.steps if step.has_own_id]
    return case.fault("E111", path, f"there is no step '{name}'", did_you_mean(name, own_ids) or "give a step this id")


def gotos(case: Case) -> Iterator[Fault]:
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


def answers(case: Case) -> Iterator[Fault]:
    """E115: `{branch: x, is: y}` asks for a way that x has."""
    for rule in case.rules:
        for leaf in iter_leaves(rule):
            step = case.journey.by_id.get(leaf.step) if isinstance(leaf, BranchRule) else None
            if step is None or not isinstance(leaf, BranchRule):
                continue
            known = answers_of(case, step)
            if known is not None and not any(leaf.answer == one and type(leaf.answer) is type(one) for one in known):
                message = f"'{leaf.step}' never answers '{leaf.answer}'"
                yield case.fault("E115", (*leaf.path, "is"), message, _way_out(leaf.answer, known))


def _way_out(answer: str | int, known: Collection[str | int]) -> str:
    if not known:
        return "ask for the answer of a split, bandit, choose or wait_for"
    meant = next((one for one in known if str(one) == str(answer)), None)
    if meant is not None:
        return f"write {meant} without quotes" if isinstance(meant, int) else f'write "{meant}" in quotes'
    return did_you_mean(answer, known) or f"write one of {', '.join(map(str, list(known)[:_MOST_SHOWN]))}"


def answers_of(case: Case, step: Step) -> Collection[str | int] | None:
    """What `{branch: step, is: …}` can be, in the order of the file; None where nobody can tell."""
    written = case.written((*step.path, step.verb.name))
    match step.verb.name:
        case "split" | "bandit":
            return list(written)
        case "choose":
            named = [name for branch in written if (name := branch.get("name")) is not None]
            return [*named, *range(1, len(written) + 1), ELSE]
        case "wait_for":
            return [*range(1, len(written) + 1 if isinstance(written, list) else 2), TIMEOUT]
        case "wait" | "wait_until" | "set" | "emit" | "goto" | "exit" | "add_to" | "remove_from":
            return []
        case name if name in _MESSAGES:
            arms = written.get("split") or written.get("bandit") if isinstance(written, dict) else None
            return [*(arms or ()), *_ENDINGS]
    return None
