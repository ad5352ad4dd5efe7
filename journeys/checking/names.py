"""Whether what a journey names in other files exists: segments, templates, offers, topics, senders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.errors import Fault
from core.located import KeyPath
from core.suggest import did_you_mean
from journeys.checking.case import Case
from journeys.checking.messages import CHANNELS
from journeys.steps.contract import Mention, NameKind
from segments.language.references import ReferenceKind, iter_references
from segments.language.rules import Happening, MessageRule, iter_leaves


def other_files(case: Case) -> Iterator[Fault]:
    """E120, E124."""
    mentions = [*case.journey.mentions, *(mention for step in case.steps for mention in step.mentions)]
    for mention in mentions:
        yield from _mention(case, mention)
    known = {
        ReferenceKind.SEGMENT: case.known.segments,
        ReferenceKind.LIST: case.known.lists,
    }
    for rule in case.rules:
        for reference in iter_references(rule):
            yield from _unknown(case, reference.kind.value, reference.name, reference.path, known.get(reference.kind))


def _mention(case: Case, mention: Mention) -> Iterator[Fault]:
    names = case.known
    channel = CHANNELS.get(mention.kind)
    if channel is None:
        known = {
            NameKind.SENDER: names.senders,
            NameKind.TOPIC: names.topics,
            NameKind.OFFER: names.offers,
            NameKind.SEGMENT: names.segments,
            NameKind.LIST: names.lists,
            NameKind.JOURNEY: names.journeys,
        }
        yield from _unknown(case, mention.kind.value, mention.name, mention.path, known.get(mention.kind))
        return
    templates = names.templates
    if templates is None or not mention.name:
        return
    if mention.name not in templates:
        suffix = "mjml" if channel == "email" else "txt"
        hint = did_you_mean(mention.name, templates) or f"add templates/{mention.name}.{suffix}"
        yield case.fault("E120", mention.path, f"there is no template '{mention.name}'", hint)
    actual = templates.get(mention.name)
    if actual and actual != channel:
        same = [one for one, of in templates.items() if of == channel]
        hint = did_you_mean(mention.name, same) or f"write {actual}: {mention.name}, or add a template for {channel}"
        yield case.fault("E124", mention.path, f"'{mention.name}' is a template for {actual}, not {channel}", hint)


def _unknown(case: Case, kind: str, name: str, path: KeyPath, known: Iterable[str] | None) -> Iterator[Fault]:
    if known is not None and name not in known and name != "*":
        hint = did_you_mean(name, known) or _way_out(kind, name)
        yield case.fault("E120", path, f"there is no {kind} '{name}'", hint)


def _way_out(kind: str, name: str) -> str:
    if kind in ("topic", "sender"):
        return f"add it under `{kind}s` in workspace.yaml"
    return f"add {kind}s/{name}.yaml"


def untracked_opens(case: Case) -> Iterator[Fault]:
    """W205."""
    for rule in case.rules if not case.known.tracks_opens else ():
        for leaf in iter_leaves(rule):
            if isinstance(leaf, MessageRule) and leaf.was is Happening.OPENED:
                hint = "use `clicked`, or set `tracking.opens: individual`"
                yield case.fault("W205", (*leaf.path, "was"), "opens of some or all people are not tracked here", hint)
