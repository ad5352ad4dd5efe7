"""What the words of a project mean together: does that segment exist, may this template be sent, does it lead anywhere?

Every package judges its own kind of file; here they are asked in turn and told of each other's names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from campaigns.definition import parse_campaign
from console.opens_check import check_opens
from console.project import Project, ProjectFile
from console.retention_check import check_lengths, check_windows
from console.scores_check import check_scores
from console.webhook_check import check_webhooks
from core.errors import ConfigError, Fault, InputError
from core.suggest import did_you_mean
from customers.workspace import Workspace, iter_not_yet, parse_workspace
from delivery.front_matter import TemplateSource, parse_template
from delivery.lint import lint_template
from delivery.providers.registry import get_entry
from delivery.system_mails import BUILT_IN, BUTTON
from delivery.templates import CompiledTemplate, compile_template
from journeys.check import check_circles, check_journey
from journeys.check_case import Known
from journeys.definition import parse_journey
from journeys.model import Journey
from recommender.offer_definition import parse_offer
from segments.definition import parse_segment
from segments.language.nesting import find_circle
from segments.language.references import Reference, ReferenceKind, iter_references
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


@dataclass(frozen=True, slots=True)
class _Names:
    """What the files of a project may refer to."""

    segments: frozenset[str]
    lists: frozenset[str]
    offers: frozenset[str]
    journeys: frozenset[str]
    templates: Mapping[str, TemplateSource]


def check_project(
    project: Project, in_force: Mapping[str, Journey] | None = None, *, scores: Collection[str] | None = None
) -> CheckedProject:
    """All faults of a project: those of reading it and those of its meaning, in one run.

    `in_force` are the journeys that are published now; without them nobody can tell whether an experiment changes under
    its people. `scores` are the names under which some are recorded; without them none is called unknown.
    """
    faults = list(project.faults)
    workspace = parse_workspace(project.workspace.document) if project.workspace else None
    faults += _check_words_of_later(project)
    if workspace is not None:
        faults += check_lengths(project, workspace)
        faults += _check_transports(project, workspace)
        faults += _check_utm(project, workspace)
        faults += check_webhooks(project, workspace)
    templates, found = _check_templates(project, workspace)
    faults += found
    names = _Names(
        project.slugs("segment"), project.slugs("list"), project.slugs("offer"), project.slugs("journey"), templates
    )
    faults += _check_segments(project, workspace, names)
    for file in project.of_kind("offer"):
        faults += parse_offer(file.located, workspace)[1]
    for file in project.of_kind("campaign"):
        faults += _check_campaign(file, workspace, names)
    faults += _check_journeys(project, workspace, names, in_force or {})
    for file in project.of_kind("form"):
        faults += parse_form(file.located, workspace)[1]
    faults += _check_texts(project)
    faults += check_scores(project, scores) if scores is not None else ()
    return CheckedProject(project, tuple(sorted(set(faults))))


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


# -- templates ------------------------------------------------------------------------------------------------------


def _check_templates(project: Project, workspace: Workspace | None) -> tuple[dict[str, TemplateSource], list[Fault]]:
    sources: dict[str, TemplateSource] = {}
    enclosures = project.enclosures
    faults = []
    for file in project.templates:
        source, found = parse_template(file.text, file.file, enclosures)
        faults += found
        if source is None:
            continue
        other = sources.setdefault(source.template, source)
        if other is not source:
            message = f"template '{source.template}' is already in {other.file}"
            faults.append(Fault(file.file, 1, 1, "E100", message, "give one of them another name"))
        try:
            compiled = compile_template(source)
        except ConfigError as error:
            faults += error.faults
        else:
            faults += _law(source, compiled, workspace)
            faults += lint_template(source, compiled)
    return sources, faults


def _law(source: TemplateSource, compiled: CompiledTemplate, workspace: Workspace | None) -> Iterable[Fault]:
    """What marketing mail must show, and transactional mail must not."""
    line = source.body.line
    if source.template in BUILT_IN:
        yield from _check_own_mail(source, compiled)
    offers = next((one for one in compiled.variables if one.path.partition(".")[0] in ("offers", "items")), None)
    if source.kind == "transactional":
        if offers is not None:
            message = "a transactional template may carry no offers"
            fault = Fault(source.file, offers.line, 1, "E153", message, "take them out, or make it marketing")
            yield compiled.places.trace(fault)
        return
    if source.channel == "email" and not compiled.has_unsubscribe_link:
        hint = 'add <a href="{{ links.unsubscribe }}">Unsubscribe</a>'
        yield Fault(source.file, line, 1, "E150", "marketing mail has no unsubscribe link", hint)
    if source.channel == "email" and workspace is not None and not workspace.postal_address:
        hint = "add `postal_address` to workspace.yaml"
        yield Fault(source.file, line, 1, "E152", "marketing mail needs the sender's postal address", hint)
    if workspace is not None and source.topic is not None and source.topic not in workspace.topics:
        hint = did_you_mean(source.topic, workspace.topics) or "add it under `topics` in workspace.yaml"
        yield Fault(source.file, 1, 1, "E120", f"unknown topic '{source.topic}'", hint)


def _check_own_mail(source: TemplateSource, compiled: CompiledTemplate) -> Iterable[Fault]:
    """What a template must have that takes the place of one of ours."""
    if source.kind != "transactional":
        message = f"'{source.template}' takes the place of a mail that everybody gets who asked for it"
        yield Fault(source.file, 1, 1, "E124", message, "add `kind: transactional`")
    if not any(variable.path == BUTTON for variable in compiled.variables):
        message = f"'{source.template}' does not show the link that it is sent for"
        yield Fault(source.file, source.body.line, 1, "E101", message, 'add a link to "{{ links.button }}"')


# -- segments and what names them -----------------------------------------------------------------------------------


def _check_segments(project: Project, workspace: Workspace | None, names: _Names) -> Iterable[Fault]:
    rules: dict[str, Rule] = {}
    for file in project.of_kind("segment"):
        segment, found = parse_segment(file.located, file.file, workspace)
        yield from found
        if segment is not None:
            rules[segment.slug] = segment.rule
            if workspace is not None:
                yield from check_windows(file, segment.rule, workspace)
            yield from _unknown_names(file, iter_references(segment.rule), names)
            yield from check_opens(file, segment.rule, workspace)
    for file in project.of_kind("segment"):
        circle = find_circle(file.slug, rules) if file.slug in rules else None
        if circle is not None:
            message = f"the segment contains itself: {' → '.join(circle)}"
            yield file.located.fault("E121", ("segment",), message, "take one of them out")


def _unknown_names(file: ProjectFile, references: Iterable[Reference], names: _Names) -> Iterable[Fault]:
    known = {ReferenceKind.SEGMENT: names.segments, ReferenceKind.LIST: names.lists}
    for reference in references:
        words = known.get(reference.kind)
        if words is not None and reference.name not in words:
            message = f"unknown {reference.kind.value} '{reference.name}'"
            hint = did_you_mean(reference.name, words) or f"add {reference.kind.value}s/{reference.name}.yaml"
            yield file.located.fault("E120", reference.path, message, hint)


# -- campaigns and journeys -----------------------------------------------------------------------------------------


def _check_campaign(file: ProjectFile, workspace: Workspace | None, names: _Names) -> Iterable[Fault]:
    campaign, found = parse_campaign(file.located, file.file, workspace)
    yield from found
    if campaign is None:
        return
    yield from _unknown_names(file, iter_references(campaign.audience), names)
    yield from check_opens(file, campaign.audience, workspace)
    if workspace is not None:
        yield from check_windows(file, campaign.audience, workspace)
    if campaign.offer is not None and campaign.offer not in names.offers:
        hint = did_you_mean(campaign.offer, names.offers) or f"add offers/{campaign.offer}.yaml"
        yield file.located.fault("E120", ("offer",), f"unknown offer '{campaign.offer}'", hint)
    for variant in campaign.variants:
        content = variant.content
        arm = ("variants", variant.name) if variant.name else ()
        path = (*arm, content.channel)
        template = names.templates.get(content.template)
        if template is None:
            hint = did_you_mean(content.template, names.templates) or f"add templates/{content.template}.mjml"
            yield file.located.fault("E120", path, f"unknown template '{content.template}'", hint)
        elif template.channel != content.channel:
            message = f"the template '{content.template}' is for {template.channel}, not for {content.channel}"
            yield file.located.fault("E124", path, message, f"write `{template.channel}: {content.template}`")
        elif not (campaign.topic or template.topic):
            message = f"neither the campaign nor its template '{content.template}' has a topic"
            yield file.located.fault("E150", path, message, "add `topic:`, so that people can consent to it")


def _check_journeys(
    project: Project, workspace: Workspace | None, names: _Names, in_force: Mapping[str, Journey]
) -> Iterable[Fault]:
    known = Known(
        segments=names.segments,
        lists=names.lists,
        offers=names.offers,
        journeys=names.journeys,
        templates={slug: template.channel for slug, template in names.templates.items()},
        workspace=workspace,
    )
    readable = {}
    for file in project.of_kind("journey"):
        journey, found = parse_journey(file.located, file.file)
        yield from found
        if journey is not None:
            readable[file.slug] = (journey, file.located)
            yield from check_journey(journey, file.located, known, in_force.get(file.slug))
    yield from check_circles(readable)
