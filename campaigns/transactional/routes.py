"""What the messages of one template have in common, and why a template cannot be used by the transactional API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from campaigns.published_templates import PublishedTemplate, load_template
from campaigns.transactional.answers import Problem, Refused
from core.errors import ConfigError, NotFoundError
from customers.workspace import Workspace
from delivery.tables import MessageKind

_TRANSACTIONAL = MessageKind.TRANSACTIONAL.value
_ASKED_EARLY = ("entry.", "profile.")  # of the other roots nothing is known before composing


@dataclass(frozen=True, slots=True)
class ApiRoute:
    template: str
    channel: str
    topic: str
    sender: str | None
    needs: tuple[str, ...]

    def missing(self, root: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The needed paths below `root` (entry or profile) that `values` lack."""
        paths = (path for path in self.needs if path.startswith(f"{root}."))
        return tuple(path for path in paths if _find(values, path.partition(".")[2]) is None)

    def asks_of(self, root: str) -> bool:
        return any(path.startswith(f"{root}.") for path in self.needs)


def find_route(connection: Connection, workspace: Workspace, slug: str) -> ApiRoute | Refused:
    """How messages with the published template `slug` go out, or why they may not."""
    try:
        template = load_template(connection, slug)
    except NotFoundError:
        return Refused(Problem.TEMPLATE, f"no template {slug!r} is published: see `postilion apply`.")
    except ConfigError as error:
        return Refused(Problem.TEMPLATE, f"the template {slug!r} cannot be compiled: {error.faults[0]}.")
    return _route(workspace, template)


def _route(workspace: Workspace, template: PublishedTemplate) -> ApiRoute | Refused:
    source, slug = template.source, template.slug
    topic = workspace.topics.get(source.topic or "")
    if topic is None or topic.kind != _TRANSACTIONAL:
        return Refused(
            Problem.TEMPLATE,
            f"E150: the template {slug!r} is of no transactional topic, so it may only go to people who agreed to it: "
            "give it `kind: transactional` and a topic of that kind.",
        )
    if template.offers or template.reads_unnamed_offers:
        return Refused(
            Problem.TEMPLATE, f"E153: the template {slug!r} shows offers, and a transactional message sells nothing."
        )
    try:
        sender = workspace.get_sender(source.channel, source.sender)
    except NotFoundError as error:
        return Refused(Problem.TEMPLATE, str(error))
    if sender.channel != source.channel:
        return Refused(Problem.TEMPLATE, f"the sender {source.sender!r} is for {sender.channel}, not {source.channel}.")
    defaults = {path for path, _value in source.defaults}
    needs = tuple(path for path, _line in source.needs if path not in defaults and path.startswith(_ASKED_EARLY))
    return ApiRoute(slug, source.channel, source.topic or "", source.sender, needs)


def _find(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
