"""The templates of a project: can each be compiled, may it be sent, and are the variables there that everybody has?

What only some users of a template bring (`entry.*`, `steps.*`, `vars.*`) is asked where it is used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from console.project import Project
from core.errors import ConfigError, Fault
from core.suggest import did_you_mean
from customers.workspace import Workspace
from delivery.front_matter import TemplateSource, parse_template
from delivery.lint import lint_template
from delivery.system_mails import BUILT_IN, BUTTON
from delivery.templates import CompiledTemplate, compile_template
from segments.compiling.attributes import ADDRESSES, COLUMNS

_LINKS = frozenset({"unsubscribe", "preferences", "view_in_browser", "button", "pixel", "decoy"})
_WORKSPACE = frozenset({"slug", "name", "timezone", "locale", "currency", "country", "postal_address", "brand"})
_PROFILE = frozenset({"id", "external_id", *COLUMNS, *ADDRESSES})


def check_templates(
    project: Project, workspace: Workspace | None
) -> tuple[dict[str, TemplateSource], dict[str, CompiledTemplate], list[Fault]]:
    """The templates that could be read, those of them that could be compiled, and what is wrong."""
    sources: dict[str, TemplateSource] = {}
    compiled: dict[str, CompiledTemplate] = {}
    enclosures = project.enclosures
    offers = project.slugs("offer")
    faults: list[Fault] = []
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
            one = compile_template(source)
        except ConfigError as error:
            faults += error.faults
            continue
        compiled.setdefault(source.template, one)
        faults += _law(source, one, workspace)
        faults += lint_template(source, one)
        faults += _variables(one, workspace, None if one.kind == "transactional" else offers)
    return sources, compiled, faults


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


def _variables(
    compiled: CompiledTemplate, workspace: Workspace | None, offers: Collection[str] | None
) -> Iterator[Fault]:
    """E120, E123 and W201 for variables that are the same whoever uses the template; each once, at its first line.

    `offers` is None where none may be shown anyway.
    """
    read = [(path, line) for path, line in compiled.needs]
    read += [(one.path, one.line) for one in compiled.variables if not one.is_optional]
    told: set[tuple[str, str]] = set()
    for path, line in sorted(read, key=lambda one: one[1]):
        root, _, rest = path.partition(".")
        name = rest.partition(".")[0]
        if not name or (root, name) in told:
            continue
        told.add((root, name))
        fault = _unknown(root, name, workspace, offers)
        if fault is not None:
            code, message, hint = fault
            yield compiled.places.trace(Fault(compiled.file, line, 1, code, message, hint, 1))


def _unknown(
    root: str, name: str, workspace: Workspace | None, offers: Collection[str] | None
) -> tuple[str, str, str] | None:
    fixed: Mapping[str, Collection[str]] = {"links": _LINKS, "workspace": _WORKSPACE}
    if root in fixed and name not in fixed[root]:
        hint = did_you_mean(name, fixed[root]) or f"write one of {', '.join(sorted(fixed[root]))}"
        return "E123", f"there is no `{root}.{name}`", hint
    if root == "offers" and offers is not None and name not in offers:
        return "E120", f"there is no offer '{name}'", did_you_mean(name, offers) or f"add offers/{name}.yaml"
    if root == "profile" and workspace is not None:
        known = {*_PROFILE, *workspace.attributes}
        if name not in known:
            hint = did_you_mean(name, known) or "declare it in workspace.yaml, or write | default"
            return "W201", f"the attribute '{name}' is not declared in workspace.yaml", hint
    return None
