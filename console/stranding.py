"""Whom a publication would strand: people for whom a new version has no place, or whose old one would lose what it
needs. They are counted, and the publication is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from console.project import Project
from core.errors import Fault
from core.located import Located
from journeys.catalogue import Catalogue
from journeys.definition import parse_journey
from journeys.graph import reachable_from, ways_of
from journeys.model import Journey
from journeys.places import iter_stranded
from journeys.standing import Standing, at_steps, count_standing
from journeys.steps.contract import NameKind
from segments.language.references import ReferenceKind, iter_references
from segments.language.rules import Rule

_NEEDS: Mapping[NameKind, str] = {
    NameKind.TEMPLATE_EMAIL: "template",
    NameKind.TEMPLATE_SMS: "template",
    NameKind.TEMPLATE_VOICE: "template",
    NameKind.TEMPLATE_LETTER: "template",
    NameKind.OFFER: "offer",
    NameKind.SEGMENT: "segment",
}


def versions_of(catalogue: Catalogue, slug: str) -> list[Journey]:
    """Every version of one journey that was ever published, oldest first."""
    return [journey for (one, _), journey in sorted(catalogue.journeys.items(), key=_place) if one == slug]


def find_stranded(connection: Connection, catalogue: Catalogue, project: Project) -> list[Fault]:
    """E142: those who could not be moved to the versions in the files, by journey and step."""
    faults: list[Fault] = []
    for file in project.of_kind("journey"):
        journey, _ = parse_journey(file.located, file.file)
        standing = count_standing(connection, file.slug)
        if journey is not None and standing:
            faults += _stranded(file.located, versions_of(catalogue, file.slug), journey, standing)
    return sorted(faults)


def find_needed(
    connection: Connection, catalogue: Catalogue, project: Project, withdrawn: Sequence[tuple[str, str]], *, moves: bool
) -> list[Fault]:
    """E143: what has no file any more, (kind, slug), although people inside journeys will still come to it.

    With `moves` everybody goes over to the version in the file, so only journeys without a file are asked.
    """
    files = {file.slug: file for file in project.of_kind("journey")}
    gone = set(withdrawn)
    faults = []
    for slug in sorted({slug for slug, _ in catalogue.journeys} if gone else ()):
        if moves and slug in files:
            continue
        file = files.get(slug)
        where = (file.file, file.located.start.line) if file else (f"journeys/{slug}.yaml", 1)
        standing = count_standing(connection, slug)
        for journey in versions_of(catalogue, slug):
            for kind, name, count in _still_needed(journey, standing, gone):
                message = (
                    f"{people(count)} in version {journey.version} of '{slug}' will still need the {kind} '{name}'"
                )
                hint = "keep its file until they are through" + (", or use `apply --migrate`" if file else "")
                faults.append(Fault(*where, 1, "E143", message, hint))
    return faults


def people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _stranded(
    located: Located, versions: Sequence[Journey], new: Journey, standing: Sequence[Standing]
) -> Iterator[Fault]:
    for one in iter_stranded(versions, new, standing):
        verb = "stands" if one.count == 1 else "stand"
        message = f"{people(one.count)} {verb} at `{one.step}` ({one.verb}, version {one.version}), which is gone"
        hint = f"add `migrate: {{removed: {{{one.step}: <step>}}}}`, or apply without --migrate"
        yield located.fault("E142", ("migrate", "removed"), message, hint)


def _still_needed(
    journey: Journey, standing: Sequence[Standing], gone: set[tuple[str, str]]
) -> Iterator[tuple[str, str, int]]:
    ways = ways_of(journey)
    counts: dict[tuple[str, str], int] = {}
    for step_id, count in at_steps(standing, journey.version).items():
        ahead = reachable_from(ways, frozenset([step_id])) if step_id in ways else frozenset[str]()
        needs = {need for ahead_id in ahead for need in _needs(journey, ahead_id)}
        for need in needs.union(_segments_in(journey.exits)) & gone:
            counts[need] = counts.get(need, 0) + count
    for (kind, name), count in sorted(counts.items()):
        yield kind, name, count


def _needs(journey: Journey, step_id: str) -> Iterator[tuple[str, str]]:
    step = journey.by_id[step_id]
    for mention in step.mentions:
        if mention.kind in _NEEDS:
            yield _NEEDS[mention.kind], mention.name
    yield from _segments_in(step.rules)


def _segments_in(rules: Iterable[Rule]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        for reference in iter_references(rule):
            if reference.kind is ReferenceKind.SEGMENT:
                yield "segment", reference.name


def _place(item: tuple[tuple[str, int], Any]) -> tuple[str, int]:
    return item[0]
