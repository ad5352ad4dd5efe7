"""Variables that have no source for some who get there: E123 in templates and in the journey's own texts.

A fault of a template stands at the template's line and names the step that uses it; each template's variable is told
once a journey.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from core.errors import Fault
from core.located import KeyPath, Located
from delivery.templates import CompiledTemplate
from journeys.checking.case import Case
from journeys.checking.messages import MessageUse, iter_uses
from journeys.checking.sources import Lack, Sources
from journeys.steps.contract import Step
from segments.language.rules import EntryRule, EventRule, Operator, iter_leaves

_READ = re.compile(r"\{\{\s*((?:entry|steps)(?:\.\w+)+)\s*\}\}", re.ASCII)
_HOLD_TEXTS = ("with", "set", "webhook")


def variables(case: Case) -> Iterator[Fault]:
    """E123, and W201 for a property that no entry event declares."""
    sources = Sources(case)
    for step in case.steps:
        yield from _own_texts(case, step, sources)
    for place, name in _iter_asked(case):
        missing = sources.find_lack_of_all(name)
        if missing is not None:
            yield case.fault(missing.code, place, missing.why, missing.hint)
    told: set[tuple[str, str]] = set()
    for use in iter_uses(case):
        if use.template is None:
            continue
        for path, line, lack in _lacking(use, use.template, sources):
            if (use.name, path) not in told:
                told.add((use.name, path))
                yield fault_at_template(case.located, use.template, line, lack, use.path)


def _lacking(use: MessageUse, template: CompiledTemplate, sources: Sources) -> Iterator[tuple[str, int, Lack]]:
    """(variable, its line, why it is not there) for what `template` reads where it is used."""
    supplied = {path for path, _ in template.defaults}
    wanted = [(path, line) for path, line in template.needs if path not in supplied]
    wanted += [(one.path, one.line) for one in template.variables if not one.is_optional]
    for path, line in wanted:
        lack = _of_values(path, use.values) or sources.find_lack(path, use.step)
        if lack is not None:
            yield path, line, lack


def _of_values(path: str, given: Collection[str]) -> Lack | None:
    root, _, rest = path.partition(".")
    name = rest.partition(".")[0]
    if root == "vars" and name and name not in given:
        return Lack("E123", f"nothing gives it `{path}`", f"add `with: {{{name}: …}}` to the step, or a default")
    if root == "campaign":
        return Lack("E123", f"a journey has no `{path}`", "take it out, or use another template")
    return None


def fault_at_template(located: Located, template: CompiledTemplate, line: int, lack: Lack, user: KeyPath) -> Fault:
    """The fault at `line` of `template`, or of the partial in it; `user` is where `located` names the template."""
    place = located.value_at(user)
    message = f"{lack.why} ({located.file}:{place.line}:{place.column} uses '{template.template}')"
    return template.places.trace(Fault(template.file, line, 1, lack.code, message, lack.hint, 1))


def _own_texts(case: Case, step: Step, sources: Sources) -> Iterator[Fault]:
    """What the step's own values read; a step that is not there, or lies further down, is a fault of reference."""
    own = case.journey.by_id
    for path, variable in _iter_read(case, step):
        root, name = [*variable.split("."), ""][:2]
        if root == "steps" and (name not in own or not case.can_precede(name, step.id)):
            continue
        lack = sources.find_lack(variable, step)
        if lack is not None:
            yield case.fault(lack.code, path, lack.why, lack.hint)


def _iter_asked(case: Case) -> Iterator[tuple[KeyPath, str]]:
    """The properties of the entry that conditions of steps ask for, and those that they compare others with."""
    for rule in (rule for step in case.steps for rule in step.rules):
        for leaf in iter_leaves(rule):
            if isinstance(leaf, EntryRule):
                yield from (((*leaf.path, "entry", test.name), test.name) for test in leaf.where)
            if isinstance(leaf, EventRule):
                for test in leaf.where:
                    for one in test.matcher.comparisons:
                        if one.operator is Operator.FROM_EVENT and isinstance(one.operand, str):
                            yield (*leaf.path, "where", test.name, one.operator.value), one.operand


def _iter_read(case: Case, step: Step) -> Iterator[tuple[KeyPath, str]]:
    if step.verb.name == "task":
        for word in ("title", "body"):
            text: CompiledTemplate | None = getattr(step.action, word, None)
            for variable in text.variables if text is not None else ():
                if not variable.is_optional:
                    yield (*step.path, "task", word), variable.path
        return
    for word in _HOLD_TEXTS:
        yield from _iter_texts(case.written((*step.path, word)), (*step.path, word))


def _iter_texts(written: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(written, str):
        for variable in _READ.findall(written):
            yield path, variable
    elif isinstance(written, Mapping):
        for key, value in written.items():
            yield from _iter_texts(value, (*path, key))
    elif isinstance(written, list):
        for place, value in enumerate(written):
            yield from _iter_texts(value, (*path, place))
