"""The journeys of a project, each by itself and all among each other: who starts whom, and who emits what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from console.checking.names import Names
from console.project import Project
from console.retention_check import check_windows
from core.errors import Fault
from core.located import Located
from customers.workspace import Workspace
from journeys.check import check_circles, check_journey
from journeys.checking.case import Known, find_written
from journeys.definition import parse_journey
from journeys.model import Journey
from segments.language.rules import Rule


def check_journeys(
    project: Project,
    workspace: Workspace | None,
    names: Names,
    in_force: Mapping[str, Journey],
    seen: Collection[str],
) -> Iterable[Fault]:
    """`seen` are names of events that the data has, declared or not."""
    readable: dict[str, tuple[Journey, Located]] = {}
    for file in project.of_kind("journey"):
        journey, found = parse_journey(file.located, file.file)
        yield from found
        if journey is not None:
            readable[file.slug] = (journey, file.located)
    known = Known(
        segments=names.segments,
        lists=names.lists,
        offers=names.offers,
        journeys=names.journeys,
        templates={slug: template.channel for slug, template in names.templates.items()}
        | dict.fromkeys(names.unread, ""),
        workspace=workspace,
        contents=names.compiled,
        events={*seen, *_emitted(readable)},
        started_with=_started_with(readable),
    )
    for slug, (journey, located) in readable.items():
        yield from check_journey(journey, located, known, in_force.get(slug))
        if workspace is not None:
            for rule in _rules_of(journey):
                yield from check_windows(located, rule, workspace)
    yield from check_circles(readable)


def _rules_of(journey: Journey) -> Iterator[Rule]:
    yield from journey.top_rules
    for step in journey.by_id.values():
        yield from step.rules


def _emitted(journeys: Mapping[str, tuple[Journey, Located]]) -> set[str]:
    steps = (step for journey, _ in journeys.values() for step in journey.by_id.values())
    return {step.action.name for step in steps if step.verb.name == "emit"}


def _started_with(journeys: Mapping[str, tuple[Journey, Located]]) -> Mapping[str, list[frozenset[str]]]:
    """By journey, the names of the values that each step brings along which starts it."""
    found: dict[str, list[frozenset[str]]] = defaultdict(list)
    for journey, located in journeys.values():
        for step in journey.by_id.values():
            if step.verb.name == "start_journey":
                brought = find_written(located, (*step.path, "with")) or {}
                found[find_written(located, (*step.path, "start_journey"))].append(frozenset(brought))
    return found
