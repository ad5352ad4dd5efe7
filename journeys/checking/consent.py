"""E150 and E153 where step and template are seen together: consent for marketing, no offers in anything else. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import Fault
from journeys.checking.case import Case
from journeys.checking.messages import MessageUse, iter_uses


def consent_paths(case: Case) -> Iterator[Fault]:
    """A template that is wrong by itself is told at the template; here only what the step makes of it."""
    for use in iter_uses(case):
        template = use.template
        if template is None or template.channel != use.channel:
            continue
        if use.topic is None:
            message = f"neither the step, `defaults` nor the template '{use.name}' has a topic"
            yield case.fault("E150", use.path, message, "add `topic:`, so that people can consent to it")
        elif use.kind == "marketing":
            yield from _marketing(case, use)
        elif use.kind == "transactional" and template.kind != "transactional":
            yield from _transactional(case, use)


def _marketing(case: Case, use: MessageUse) -> Iterator[Fault]:
    template = use.template
    assert template is not None
    if template.kind != "marketing" and use.channel == "email" and not template.has_unsubscribe_link:
        message = f"it is sent as marketing, and its template '{use.name}' has no unsubscribe link"
        hint = "use a marketing template, or `kind: transactional` if it sells nothing"
        yield case.fault("E150", use.path, message, hint)


def _transactional(case: Case, use: MessageUse) -> Iterator[Fault]:
    template = use.template
    assert template is not None
    if any(variable.path.partition(".")[0] in ("offers", "items") for variable in template.variables):
        message = f"it is sent as transactional, and its template '{use.name}' shows offers"
        yield case.fault("E153", use.path, message, "use a template without them, or `kind: marketing`")
