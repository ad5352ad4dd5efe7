"""The templates of a project: can each be compiled, may it be sent, and are the variables there that everybody has?

What only some users of a template bring (`entry.*`, `steps.*`, `vars.*`) is asked where it is used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from console.project import Project, TemplateFile
from core.errors import ConfigError, Fault
from core.located import split_front_matter
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
    offers = project.names("offer")
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
        faults += _law(source, one)
        faults += _names_in_head(file, source, workspace)
        faults += lint_template(source, one)
        faults += _variables(one, workspace, None if one.kind == "transactional" else offers)
    faults += _postal_address(project, workspace, sources.values())
    return sources, compiled, faults


def _postal_address(
    project: Project, workspace: Workspace | None, sources: Iterable[TemplateSource]
) -> Iterator[Fault]:
    """E152 once, however many templates need it."""
    if project.workspace is None or workspace is None or workspace.postal_address:
        return
    needing = [one.template for one in sources if one.channel == "email" and one.kind != "transactional"]
    if needing:
        message = f"marketing mail such as '{needing[0]}' needs the sender's postal address"
        yield project.workspace.located.fault("E152", (), message, "add 'postal_address: <street, town>'")


def _law(source: TemplateSource, compiled: CompiledTemplate) -> Iterable[Fault]:
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


def _names_in_head(file: TemplateFile, source: TemplateSource, workspace: Workspace | None) -> Iterator[Fault]:
    """E120 for the topic and the sender of the front matter."""
    if workspace is None:
        return
    asked = (("topic", source.topic, workspace.topics), ("sender", source.sender, workspace.senders))
    for word, name, known in asked:
        if name is not None and name not in known:
            head, _ = split_front_matter(file.text.encode(), file.file)
            assert head is not None  # it could be read
            hint = did_you_mean(name, known) or f"add it under `{word}s` in workspace.yaml"
            yield head.head.fault("E120", (word,), f"unknown {word} '{name}'", hint)


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
