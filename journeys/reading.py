"""Steps from YAML data that its schema has accepted to the tree that the engine walks.

Faults go to the reader. A step that cannot be understood, or whose verb does not work yet, still stands in the tree, so
that the rest of the file can be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.errors import Fault
from core.ids import content_hash
from core.located import KeyPath
from journeys.steps.contract import Done, OnError, Step, StepSpec, Verb
from journeys.steps.registry import MESSAGES, NOT_YET, VERBS, WHY_NOT_YET

MakeFault = Callable[..., Fault]
WHEN_SKIPPED: KeyPath = ("defaults", "on_skip")


class Reader:
    """Collects the faults of one file, and the ids that its steps have taken.

    `when_skipped` are the steps of `defaults.on_skip`, as written. Each message without an `on_skip` of its own gets
    them as steps of its own, whose ids begin with its own and a dot.
    """

    def __init__(self, make_fault: MakeFault, when_skipped: Sequence[Mapping[str, Any]] = ()) -> None:
        self.faults: list[Fault] = []
        self._make_fault = make_fault
        self._ids: set[str] = set()
        self._when_skipped = when_skipped
        self._owner = (
            ""  # the message whose `defaults.on_skip` is being read; their faults are told once, at their place
        )

    def report(self, code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        if not self._owner:
            self.faults.append(self._make_fault(code, path, message, hint, at_key=at_key))

    def spec(self, data: Mapping[str, Any], path: KeyPath) -> StepSpec:
        return StepSpec(data, path, self.report, self.steps)

    def steps(self, data: Sequence[Mapping[str, Any]], path: KeyPath) -> tuple[Step, ...]:
        return tuple(self._step(step, (*path, place)) for place, step in enumerate(data))

    def _step(self, data: Mapping[str, Any], path: KeyPath) -> Step:
        step_id = self._take_id(data, path)
        spec = self.spec(data, path)
        verb = self._verb(data, spec)
        action = verb.parse(spec)
        on_error = data.get("on_error", OnError.RETRY)
        if isinstance(on_error, list):
            spec.block("on_error", "on_error")
            on_error = OnError.STEPS
        if self._when_skipped and verb.name in MESSAGES and "on_skip" not in data and not self._owner:
            self._owner = step_id
            spec.blocks["on_skip"] = self.steps(self._when_skipped, WHEN_SKIPPED)
            self._owner = ""
        return Step(
            id=step_id,
            path=path,
            verb=verb,
            action=action,
            condition=spec.conditions(data["if"], "if") if "if" in data else None,
            is_disabled=bool(data.get("disabled")),
            on_error=OnError(on_error),
            has_own_id="id" in data,
            blocks=spec.blocks,
            rules=tuple(spec.rules),
            mentions=tuple(spec.mentions),
        )

    def _verb(self, data: Mapping[str, Any], spec: StepSpec) -> Verb:
        for word in data:
            if word in VERBS:
                return VERBS[word]
        word = next(word for word in data if word in NOT_YET)
        spec.not_yet(word, what=WHY_NOT_YET[word])
        return Verb(word, _parse_nothing(word), lambda _step, _run: Done())

    def _take_id(self, data: Mapping[str, Any], path: KeyPath) -> str:
        step_id = data.get("id")
        if self._owner:
            return f"{self._owner}.{step_id or _auto_id(path)}"
        if step_id is not None and step_id not in self._ids:
            self._ids.add(step_id)
            return str(step_id)
        if step_id is not None:
            self.report("E110", (*path, "id"), f"the id '{step_id}' is taken", "give this step another one")
        return _auto_id(path)


def _auto_id(path: KeyPath) -> str:
    return f"auto_{content_hash('/'.join(map(str, path)))[:10]}"


def _parse_nothing(word: str) -> Callable[[StepSpec], Any]:
    """Keeps what stands there as it is, and reads the steps inside, which others may refer to."""

    def parse(spec: StepSpec) -> Any:
        data = spec.data[word]
        for name, arm in data.items() if isinstance(data, Mapping) else ():
            if isinstance(arm, Mapping) and isinstance(arm.get("then"), list):
                spec.block(name, word, name, "then")
        return data

    return parse
