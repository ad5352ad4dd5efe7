"""What the files of a project may refer to, and how an unknown name is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from console.project import Project, ProjectFile
from core.errors import Fault
from core.suggest import did_you_mean
from delivery.front_matter import TemplateSource
from delivery.templates import CompiledTemplate
from segments.language.references import Reference, ReferenceKind


@dataclass(frozen=True, slots=True)
class Names:
    """`compiled` are those of `templates` in which nothing is wrong; `unread` are the names of such as have a file that
    could not be read.
    """

    segments: frozenset[str]
    lists: frozenset[str]
    offers: frozenset[str]
    journeys: frozenset[str]
    templates: Mapping[str, TemplateSource]
    compiled: Mapping[str, CompiledTemplate]
    unread: frozenset[str]


def names_of(
    project: Project, templates: Mapping[str, TemplateSource], compiled: Mapping[str, CompiledTemplate]
) -> Names:
    return Names(
        project.names("segment"),
        project.names("list"),
        project.names("offer"),
        project.names("journey"),
        templates,
        compiled,
        frozenset(PurePath(file.file).stem for file in project.templates) - {*templates},
    )


def unknown_names(file: ProjectFile, references: Iterable[Reference], names: Names) -> Iterable[Fault]:
    """E120 for segments and lists."""
    known = {ReferenceKind.SEGMENT: names.segments, ReferenceKind.LIST: names.lists}
    for reference in references:
        words = known.get(reference.kind)
        if words is not None and reference.name not in words:
            message = f"unknown {reference.kind.value} '{reference.name}'"
            hint = did_you_mean(reference.name, words) or f"add {reference.kind.value}s/{reference.name}.yaml"
            yield file.located.fault("E120", reference.path, message, hint)
