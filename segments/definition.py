"""A segment as a file of the project, and the published segments as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from core.definitions import Published, list_definitions
from core.durations import parse_duration
from core.errors import ConfigError, Fault, NotFoundError, has_errors
from core.located import KeyPath, Located, load_yaml
from core.suggest import did_you_mean
from customers.workspace import Workspace
from segments.exports.plan import ExportPlan, check_export, parse_export
from segments.language.checks import check_population, check_words
from segments.language.parser import parse_conditions
from segments.language.rules import Rule

KIND = "segment"


@dataclass(frozen=True, slots=True)
class Segment:
    """`refresh` is how old the membership may become; `version` is 0 until it is published."""

    slug: str
    name: str
    rule: Rule
    refresh: timedelta | None
    file: str
    version: int = 0
    export: ExportPlan | None = None


def parse_segment(
    located: Located, file: str, workspace: Workspace | None = None
) -> tuple[Segment | None, list[Fault]]:
    """The segment in `located`, which has passed its schema, and what its words mean wrongly; None for an error.

    With a workspace, names that it does not know are warned of. Whether other segments and lists exist, the caller
    knows: see `references` and `nesting`.
    """
    faults: list[Fault] = []

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        faults.append(located.fault(code, path, message, hint, at_key=at_key))

    rule = parse_conditions(located.data["who"], report, ("who",))
    check_population(rule, report)
    if workspace is not None:
        check_words(rule, workspace, report)
    if "export" in located.data:
        check_export(located.data["export"], workspace, report)
    segment = None if has_errors(faults) else _segment(located.data, rule, file)
    return segment, sorted(faults)


def load_segments(connection: Connection) -> dict[str, Segment]:
    """Every published segment, by its slug."""
    return {published.slug: parse_published(published) for published in list_definitions(connection, KIND)}


def get_segment(connection: Connection, slug: str) -> Segment:
    """The published segment called `slug`. Raises NotFoundError with the nearest name."""
    segments = load_segments(connection)
    if slug not in segments:
        hint = did_you_mean(slug, segments) or "see `postilion segments list`"
        raise NotFoundError(f"there is no published segment named '{slug}': {hint}.")
    return segments[slug]


def rules_of(segments: Mapping[str, Segment]) -> dict[str, Rule]:
    return {slug: segment.rule for slug, segment in segments.items()}


def parse_published(published: Published) -> Segment:
    """Raises ConfigError when this version of the engine no longer understands what an earlier one published."""
    located, _ = load_yaml(published.source.encode(), published.file)
    faults: list[Fault] = []

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        place = located.fault(code, ("who", *path), message, hint, at_key=at_key) if located else None
        faults.append(place or Fault(published.file, 1, 1, code, message, hint))

    rule = parse_conditions(published.document["who"], report)
    if has_errors(faults):
        raise ConfigError(faults)
    return _segment(published.document, rule, published.file, published.version)


def _segment(document: Mapping[str, Any], rule: Rule, file: str, version: int = 0) -> Segment:
    refresh, export = document.get("refresh"), document.get("export")
    return Segment(
        slug=document["segment"],
        name=document.get("name") or document["segment"],
        rule=rule,
        refresh=parse_duration(refresh).as_elapsed() if refresh else None,
        file=file,
        version=version,
        export=parse_export(export) if export else None,
    )
