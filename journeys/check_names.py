"""Whether what a journey names in other files exists: segments, templates, offers, topics, senders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.errors import Fault
from core.located import KeyPath
from core.suggest import did_you_mean
from journeys.check_case import Case
from journeys.steps.contract import Mention, NameKind
from segments.language.references import ReferenceKind, iter_references
from segments.language.rules import Happening, MessageRule, iter_leaves

_TEMPLATES = {
    NameKind.TEMPLATE_EMAIL: "email",
    NameKind.TEMPLATE_SMS: "sms",
    NameKind.TEMPLATE_VOICE: "voice",
    NameKind.TEMPLATE_LETTER: "letter",
}


def other_files(case: Case) -> Iterator[Fault]:
    """E120, E124."""
    mentions = [*case.journey.mentions, *(mention for step in case.steps for mention in step.mentions)]
    for mention in mentions:
        yield from _mention(case, mention)
    rules = [*case.journey.top_rules, *(rule for step in case.steps for rule in step.rules)]
    known = {
        ReferenceKind.SEGMENT: case.known.segments,
        ReferenceKind.LIST: case.known.lists,
        ReferenceKind.TOPIC: case.known.topics,
    }
    for rule in rules:
        for reference in iter_references(rule):
            yield from _unknown(case, reference.kind, reference.name, reference.path, known.get(reference.kind))


def _mention(case: Case, mention: Mention) -> Iterator[Fault]:
    names = case.known
    channel = _TEMPLATES.get(mention.kind)
    if channel is None:
        known = {
            NameKind.SENDER: names.senders,
            NameKind.TOPIC: names.topics,
            NameKind.OFFER: names.offers,
            NameKind.SEGMENT: names.segments,
        }
        yield from _unknown(case, mention.kind, mention.name, mention.path, known.get(mention.kind))
        return
    templates = names.templates
    if templates is None or not mention.name:
        return
    yield from _unknown(case, "template", mention.name, mention.path, templates)
    actual = templates.get(mention.name)
    if actual is not None and actual != channel:
        hint = did_you_mean(mention.name, [one for one, of in templates.items() if of == channel])
        yield case.fault("E124", mention.path, f"'{mention.name}' is a template for {actual}, not {channel}", hint)


def _unknown(case: Case, kind: str, name: str, path: KeyPath, known: Iterable[str] | None) -> Iterator[Fault]:
    if known is not None and name not in known and name != "*":
        yield case.fault("E120", path, f"there is no {kind} '{name}'", did_you_mean(name, known))


def untracked_opens(case: Case) -> Iterator[Fault]:
    """W205."""
    rules = [*case.journey.top_rules, *(rule for step in case.steps for rule in step.rules)]
    for rule in rules if not case.known.tracks_opens else ():
        for leaf in iter_leaves(rule):
            if isinstance(leaf, MessageRule) and leaf.was is Happening.OPENED:
                hint = "use `clicked`, or set `tracking.opens: individual`"
                yield case.fault("W205", (*leaf.path, "was"), "opens of some or all people are not tracked here", hint)
