"""A segment's file that need not be published, and may be wrong: each fault at its place, as `check` tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import Fault, InputError, display_path, has_errors
from core.located import load_yaml
from core.schema_check import check_schema
from core.suggest import did_you_mean
from customers.workspace import Workspace
from segments.definition import KIND, Segment, parse_segment
from segments.language.nesting import find_circle, place_of_circle
from segments.language.references import ReferenceKind, iter_references
from segments.language.rules import Rule


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """`segment` is None when the file has an error; `rules` are all segments that it may nest, itself included."""

    segment: Segment | None
    rules: Mapping[str, Rule]
    faults: tuple[Fault, ...]


def read_segment_file(
    file: Path, folder: Path, workspace: Workspace, published: Mapping[str, Rule], lists: Iterable[str]
) -> SegmentFile:
    """The segment in `file`. It may nest those that are `published` and those in the files beside it, which go first.

    `folder` is the project's: names in faults are relative to it. Raises InputError when there is no such file.
    """
    if not file.is_file():
        raise InputError(f"there is no file {file}: name a segment's file, such as segments/loyal.yaml.")
    segment, faults = _parse(file, folder, workspace)
    beside = (_parse(other, folder, workspace)[0] for other in sorted(file.parent.glob("*.y*ml")) if other != file)
    rules = {**published, **{one.slug: one.rule for one in beside if one is not None}}
    if segment is None:
        return SegmentFile(None, rules, tuple(faults))
    rules[segment.slug] = segment.rule
    located, _ = load_yaml(file.read_bytes(), segment.file)
    known = {ReferenceKind.SEGMENT: set(rules), ReferenceKind.LIST: set(lists) | _names_beside(file)}
    for reference in iter_references(segment.rule):
        words = known.get(reference.kind)
        if located is not None and words is not None and reference.name not in words:
            message = f"unknown {reference.kind.value} '{reference.name}'"
            hint = did_you_mean(reference.name, words) or f"add {reference.kind.value}s/{reference.name}.yaml"
            faults.append(located.fault("E120", reference.path, message, hint))
    circle = find_circle(segment.slug, rules)
    if circle is not None and located is not None:
        message = f"the segment contains itself: {' → '.join(circle)}"
        place = place_of_circle(circle, segment.rule)
        faults.append(located.fault("E121", place, message, "take one of them out"))
    return SegmentFile(None if has_errors(faults) else segment, rules, tuple(sorted(faults)))


def _parse(file: Path, folder: Path, workspace: Workspace) -> tuple[Segment | None, list[Fault]]:
    name = display_path(file, folder)
    located, faults = load_yaml(file.read_bytes(), name)
    if located is None:
        return None, faults
    faults += check_schema(located, KIND)
    if has_errors(faults):
        return None, faults
    segment, found = parse_segment(located, name, workspace)
    return segment, faults + found


def _names_beside(file: Path) -> set[str]:
    """The lists of the project that the file lies in."""
    return {one.stem for one in (file.parent.parent / "lists").glob("*.y*ml")}
