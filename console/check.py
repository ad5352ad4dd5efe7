"""What the words of a project mean together: does that segment exist, may this template be sent, does it lead anywhere?

Every package judges its own kind of file; here they are asked in turn and told of each other's names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from console.checking.campaigns import check_campaigns
from console.checking.journeys import check_journeys
from console.checking.names import Names, names_of, unknown_names
from console.checking.spans import span_lines
from console.checking.templates import check_templates
from console.opens_check import check_opens
from console.project import Project
from console.project_tests.read import read_cases
from console.retention_check import check_lengths, check_windows
from console.scores_check import check_scores
from console.webhook_check import check_webhooks
from core.errors import Fault, InputError
from core.suggest import did_you_mean
from customers.workspace import Workspace, iter_not_yet, parse_workspace
from delivery.providers.registry import get_entry
from journeys.model import Journey
from recommender.offer_definition import parse_offer
from segments.definition import parse_segment
from segments.language.nesting import find_circle, place_of_circle
from segments.language.references import iter_references
from segments.language.rules import Rule
from tracking.pages.language import is_text, text_names
from tracking.pages.signing_up.definition import parse_form
from tracking.utm import utm_flaws


@dataclass(frozen=True, slots=True)
class CheckedProject:
    """A project with everything that is wrong with it, sorted by place."""

    project: Project
    faults: tuple[Fault, ...]

    @property
    def file_count(self) -> int:
        project = self.project
        return len(project.files) + len(project.templates) + (project.workspace is not None)


def check_project(
    project: Project,
    in_force: Mapping[str, Journey] | None = None,
    *,
    scores: Collection[str] | None = None,
    seen: Collection[str] = (),
) -> CheckedProject:
    """All faults of a project: those of reading it and those of its meaning, in one run.

    `in_force` are the journeys that are published now; without them nobody can tell whether an experiment changes under
    its people. `scores` are the names under which some are recorded; without them none is called unknown. `seen` are
    names of events that the data has.
    """
    faults = list(project.faults)
    workspace = parse_workspace(project.workspace.document) if project.workspace else None
    faults += _check_words_of_later(project)
    if workspace is not None:
        faults += check_lengths(project, workspace)
        faults += _check_transports(project, workspace)
        faults += _check_utm(project, workspace)
        faults += check_webhooks(project, workspace)
    templates, compiled, found = check_templates(project, workspace)
    faults += found
    names = names_of(project, templates, compiled)
    faults += _check_segments(project, workspace, names)
    for file in project.of_kind("offer"):
        offer, found = parse_offer(file.located, workspace)
        faults += found
        if offer is not None and offer.eligible is not None:
            faults += unknown_names(file, iter_references(offer.eligible), names)
            faults += check_windows(file.located, offer.eligible, workspace) if workspace is not None else ()
    faults += check_campaigns(project, workspace, names)
    faults += check_journeys(project, workspace, names, in_force or {}, seen)
    for file in project.of_kind("form"):
        faults += parse_form(file.located, workspace)[1]
    faults += _check_texts(project)
    faults += read_cases(project)[1]
    faults += check_scores(project, scores) if scores is not None else ()
    return CheckedProject(project, tuple(sorted(set(span_lines(project, faults)))))


def _check_words_of_later(project: Project) -> Iterable[Fault]:
    """Words that are known and that nothing acts on yet."""
    if project.workspace is not None:
        for path in iter_not_yet(project.workspace.document):
            message = f"'{'.'.join(path)}' is known and does not work yet"
            yield project.workspace.located.fault("E160", path, message, "leave it out for now", at_key=True)


def _check_texts(project: Project) -> Iterable[Fault]:
    """Own words for pages, by the names that there are."""
    texts = project.workspace.document.get("texts") or {} if project.workspace is not None else {}
    for language, words in texts.items():
        for name in words:
            if not is_text(name) and project.workspace is not None:
                hint = did_you_mean(name, text_names()) or "see docs/how-to/preference-centre.md"
                yield project.workspace.located.fault(
                    "E120", ("texts", language, name), f"unknown text '{name}'", hint, at_key=True
                )


def _check_transports(project: Project, workspace: Workspace) -> Iterable[Fault]:
    assert project.workspace is not None
    for name, sender in workspace.senders.items():
        if sender.transport is not None:
            try:
                get_entry(sender.transport, sender.channel)
            except InputError as error:
                message, _, hint = str(error).rstrip(".").partition(": ")
                yield project.workspace.located.fault("E120", ("senders", name, "transport"), message, hint)


def _check_utm(project: Project, workspace: Workspace) -> Iterable[Fault]:
    assert project.workspace is not None
    for parameter, message, hint in utm_flaws(workspace.tracking.get("utm")):
        yield project.workspace.located.fault("E120", ("tracking", "utm", parameter), message, hint)


def _check_segments(project: Project, workspace: Workspace | None, names: Names) -> Iterable[Fault]:
    rules: dict[str, Rule] = {}
    for file in project.of_kind("segment"):
        segment, found = parse_segment(file.located, file.file, workspace)
        yield from found
        if segment is not None:
            rules[segment.slug] = segment.rule
            if workspace is not None:
                yield from check_windows(file.located, segment.rule, workspace)
            yield from unknown_names(file, iter_references(segment.rule), names)
            yield from check_opens(file, segment.rule, workspace)
    for file in project.of_kind("segment"):
        circle = find_circle(file.slug, rules) if file.slug in rules else None
        if circle is not None:
            message = f"the segment contains itself: {' → '.join(circle)}"
            place = place_of_circle(circle, rules[file.slug])
            yield file.located.fault("E121", place, message, "take one of them out")
