"""The webhooks of workspace.yaml: can they be called, and are there such events?"""

from __future__ import annotations

from collections.abc import Iterable

from console.project import Project
from core.errors import Fault, InputError
from core.suggest import did_you_mean
from customers.own_events import OWN_EVENTS
from customers.workspace import Workspace
from delivery.webhook_url import parse_webhook_url
from journeys.checking.case import find_written


def check_webhooks(project: Project, workspace: Workspace) -> Iterable[Fault]:
    assert project.workspace is not None
    located = project.workspace.located
    known = {*OWN_EVENTS, *workspace.events}
    for name, webhook in workspace.webhooks.items():
        place = ("webhooks", name, "url")
        try:
            parse_webhook_url(webhook.url)
        except InputError as error:
            message, _, hint = str(error).rstrip(".").partition(": ")
            code = "W207" if _is_private(webhook.url) else "E151"
            refusal = "is only called while mail goes to the sandbox" if code == "W207" else "cannot be called"
            yield located.fault(code, place, f"this address {refusal}, because {message}", hint)
        written = find_written(located, ("webhooks", name, "events"))
        for number, event in enumerate(written if isinstance(written, list) else ()):
            if event not in known:
                hint = did_you_mean(event, known) or f"declare `{event}` under `events`"
                path = ("webhooks", name, "events", number)
                yield located.fault("E120", path, f"unknown event '{event}'", hint)


def _is_private(url: str) -> bool:
    """Whether nothing is wrong with the address but that not everybody can reach it."""
    try:
        parse_webhook_url(url, allows_private=True)
    except InputError:
        return False
    return True
