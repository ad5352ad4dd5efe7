"""The campaigns of a project: the names that they use, and whether their templates can be filled and agreed to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from campaigns.definition import Campaign, parse_campaign
from console.checking.names import Names, unknown_names
from console.opens_check import check_opens
from console.project import Project, ProjectFile
from console.retention_check import check_windows
from core.errors import Fault
from core.located import KeyPath
from core.suggest import did_you_mean
from customers.workspace import Workspace
from delivery.templates import CompiledTemplate
from journeys.checking.sources import Lack
from journeys.checking.variables import fault_at_template
from journeys.checking.windows import why_closed
from segments.language.references import iter_references


def check_campaigns(project: Project, workspace: Workspace | None, names: Names) -> Iterable[Fault]:
    for file in project.of_kind("campaign"):
        campaign, found = parse_campaign(file.located, file.file, workspace)
        yield from found
        if campaign is not None:
            yield from _check(file, campaign, workspace, names)


def _check(file: ProjectFile, campaign: Campaign, workspace: Workspace | None, names: Names) -> Iterable[Fault]:
    yield from unknown_names(file, iter_references(campaign.audience), names)
    yield from check_opens(file, campaign.audience, workspace)
    if workspace is not None:
        yield from check_windows(file.located, campaign.audience, workspace)
    if campaign.offer is not None and campaign.offer not in names.offers:
        hint = did_you_mean(campaign.offer, names.offers) or f"add offers/{campaign.offer}.yaml"
        yield file.located.fault("E120", ("offer",), f"unknown offer '{campaign.offer}'", hint)
    told: set[tuple[str, str]] = set()
    channels: set[str] = set()
    for variant in campaign.variants:
        content = variant.content
        arm = ("variants", variant.name) if variant.name else ()
        path = (*arm, content.channel)
        channels.add(content.channel)
        template = names.templates.get(content.template)
        if template is None and content.template in names.unread:
            continue
        if template is None:
            hint = did_you_mean(content.template, names.templates) or f"add templates/{content.template}.mjml"
            yield file.located.fault("E120", path, f"unknown template '{content.template}'", hint)
        elif template.channel != content.channel:
            message = f"the template '{content.template}' is for {template.channel}, not for {content.channel}"
            yield file.located.fault("E124", path, message, f"write `{template.channel}: {content.template}`")
        elif not (campaign.topic or template.topic):
            message = f"neither the campaign nor its template '{content.template}' has a topic"
            yield file.located.fault("E150", path, message, "add `topic:`, so that people can consent to it")
        if content.template in names.compiled:
            yield from _variables(file, campaign, names.compiled[content.template], path, told)
    yield from _windows(file, campaign, workspace, channels)


def _variables(
    file: ProjectFile, campaign: Campaign, template: CompiledTemplate, user: KeyPath, told: set[tuple[str, str]]
) -> Iterator[Fault]:
    """E123 at the template's line for what a campaign never has."""
    supplied = {path for path, _ in template.defaults}
    read = [(path, line) for path, line in template.needs if path not in supplied]
    read += [(one.path, one.line) for one in template.variables if not one.is_optional]
    for path, line in read:
        root, _, rest = path.partition(".")
        if root in ("entry", "steps"):
            lack = Lack("E123", f"a campaign has no `{path}`", "use another template, or give a default")
        elif root == "vars" and rest and rest.partition(".")[0] not in campaign.values:
            name = rest.partition(".")[0]
            lack = Lack(
                "E123", f"nothing gives it `{path}`", f"add `with: {{{name}: …}}` to the campaign, or a default"
            )
        else:
            continue
        if (template.file, path) not in told:
            told.add((template.file, path))
            yield fault_at_template(file.located, template, line, lack, user)


def _windows(
    file: ProjectFile, campaign: Campaign, workspace: Workspace | None, channels: Iterable[str]
) -> Iterator[Fault]:
    """E137."""
    written = file.document.get("send_window") or {}
    quiet = campaign.quiet_hours or (workspace.quiet_hours if workspace is not None else None)
    for channel in sorted(channels):
        hours = None if file.document.get("ignore_quiet_hours") else quiet
        why = why_closed(written[channel], hours, channel) if channel in written else None
        if why is not None:
            hint = "write hours such as mon: [09:00-17:00], outside the quiet hours"
            yield file.located.fault("E137", ("send_window", channel), why, hint, at_key=True)
