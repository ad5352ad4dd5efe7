"""What the rules of the checker are given: one journey, its places, and the names that exist beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from core.errors import Fault
from core.located import KeyPath, Located
from customers.tracking_consent import open_rule
from customers.workspace import Workspace
from delivery.templates import CompiledTemplate
from journeys.graph import Ways, reachable_from, ways_of
from journeys.model import Journey
from journeys.steps.contract import Step
from segments.language.rules import Rule


@dataclass(frozen=True, slots=True)
class Known:
    """What exists in the project. `templates` gives each one's channel, "" for one that could not be read; None
    means that nobody has looked.

    `contents` are the templates that could be compiled. `events` are names that arrive although workspace.yaml does
    not declare them: steps emit them, or the data has some. `started_with` are the names of the values with which other
    journeys start this one, by journey and by who starts it.
    """

    segments: Collection[str] | None = None
    lists: Collection[str] | None = None
    offers: Collection[str] | None = None
    journeys: Collection[str] | None = None
    templates: Mapping[str, str] | None = None
    workspace: Workspace | None = None
    contents: Mapping[str, CompiledTemplate] = field(default_factory=dict, repr=False)
    events: Collection[str] = ()
    started_with: Mapping[str, Sequence[frozenset[str]]] = field(default_factory=dict)

    @property
    def topics(self) -> Collection[str] | None:
        return self.workspace.topics if self.workspace else None

    @property
    def senders(self) -> Collection[str] | None:
        return self.workspace.senders if self.workspace else None

    @property
    def tracks_opens(self) -> bool:
        """Whether every open is one person's, wherever people live; what each of them says is another matter."""
        return self.workspace is None or open_rule(self.workspace).is_individual_everywhere


@dataclass(frozen=True)
class Case:
    """One journey to be judged; `before` is the version in force, where there is one."""

    journey: Journey
    known: Known
    before: Journey | None
    located: Located

    def fault(self, code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> Fault:
        return self.located.fault(code, path, message, hint, at_key=at_key)

    @cached_property
    def steps(self) -> Sequence[Step]:
        return list(self.journey.by_id.values())

    @cached_property
    def rules(self) -> Sequence[Rule]:
        """Every condition of the file."""
        return [*self.journey.top_rules, *(rule for step in self.steps for rule in step.rules)]

    @cached_property
    def ways(self) -> Ways:
        return ways_of(self.journey)

    @cached_property
    def reached(self) -> frozenset[str]:
        """The steps that somebody can come to."""
        first = self.journey.first
        return reachable_from(self.ways, frozenset([first] if first else []))

    def can_precede(self, earlier: str, later: str) -> bool:
        """Whether somebody who arrives at `later` can have been at `earlier`."""
        if earlier not in self._behind:
            self._behind[earlier] = reachable_from(self.ways, self.ways[earlier])
        return later in self._behind[earlier]

    @cached_property
    def _behind(self) -> dict[str, frozenset[str]]:
        return {}

    def iter_lists(self) -> Iterator[Sequence[Step]]:
        """Every list of steps, the outermost first."""
        waiting: list[Sequence[Step]] = [self.journey.steps]
        while waiting:
            steps = waiting.pop(0)
            yield steps
            waiting += [block for step in steps for block in step.blocks.values()]

    def written(self, path: KeyPath) -> Any:
        """What stands at `path` in the file; None where nothing does."""
        return find_written(self.located, path)


def find_written(located: Located, path: KeyPath) -> Any:
    """What stands at `path`; None where nothing does."""
    found: Any = located.data
    for part in path:
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            return None
    return found
