"""The messages of a journey with what decides about them, gathered from step, `defaults` and template. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from core.located import KeyPath
from delivery.templates import CompiledTemplate
from journeys.checking.case import Case
from journeys.steps.contract import Mention, NameKind, Step
from journeys.steps.message_options import Options
from journeys.steps.message_test import MessageTest

CHANNELS = {
    NameKind.TEMPLATE_EMAIL: "email",
    NameKind.TEMPLATE_SMS: "sms",
    NameKind.TEMPLATE_VOICE: "voice",
    NameKind.TEMPLATE_LETTER: "letter",
}


@dataclass(frozen=True, slots=True)
class MessageUse:
    """A step that sends `template` (None where it could not be read); `path` is where its name stands.

    `topic` and `kind` are None where the template alone could say; `values` are the names that it is given as `vars.*`.
    """

    step: Step
    path: KeyPath
    name: str
    channel: str
    template: CompiledTemplate | None
    topic: str | None
    kind: str | None
    values: frozenset[str]
    ignores_quiet_hours: bool
    ignores_limits: bool

    @property
    def is_certain(self) -> bool:
        """Whether everybody gets it who comes here, but for what delivery decides."""
        return self.step.condition is None and not self.step.is_disabled


def iter_uses(case: Case) -> Iterator[MessageUse]:
    """In the order of the file; a step whose arms differ in their template gives several."""
    for step in case.steps:
        for mention in step.mentions:
            channel = CHANNELS.get(mention.kind)
            if channel is not None and mention.name:
                yield _use(case, step, mention, channel)


def options_of(step: Step) -> Options:
    options = getattr(step.action, "options", None)
    return options if isinstance(options, Options) else Options()


def _use(case: Case, step: Step, mention: Mention, channel: str) -> MessageUse:
    path, name, own, usual = mention.path, mention.name, options_of(step), case.journey.defaults
    template = None if mention.version is not None else case.known.contents.get(name)  # the file may be a later version
    kind = own.kind or usual.kind or (template.kind if template else None)
    return MessageUse(
        step=step,
        path=path,
        name=name,
        channel=channel,
        template=template,
        topic=own.topic or usual.topic or (template.topic if template else None),
        kind=kind,
        values=frozenset({*usual.values, *own.values, *_values_of_arm(step, path)}),
        ignores_quiet_hours=bool(_first(own.ignore_quiet_hours, usual.ignore_quiet_hours)),
        ignores_limits=bool(_first(own.ignore_limits, usual.ignore_limits)) or kind == "transactional",
    )


def _values_of_arm(step: Step, path: KeyPath) -> Collection[str]:
    """What the arm at `path` is given, where the step holds a test between templates."""
    test = getattr(step.action, "test", None)
    words = path[len(step.path) :]  # such as (email, split, plain, template)
    return test.variants[str(words[2])].values if isinstance(test, MessageTest) and len(words) > 2 else ()


def _first(*values: bool | None) -> bool | None:
    return next((value for value in values if value is not None), None)
