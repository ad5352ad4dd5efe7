"""The names that a rule refers to, each with its place, for whoever knows what exists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.located import KeyPath
from segments.language.rules import (
    LATITUDE,
    LONGITUDE,
    AnniversaryRule,
    AttributeRule,
    BranchRule,
    ConsentRule,
    EventRule,
    Leaf,
    ListRule,
    MessageRule,
    NearRule,
    OwnsRule,
    RankRule,
    Reckoning,
    Rule,
    ScoreRule,
    SegmentRule,
    SequenceRule,
    StepRule,
    iter_leaves,
)


class ReferenceKind(StrEnum):
    SEGMENT = "segment"
    LIST = "list"
    ATTRIBUTE = "attribute"
    EVENT = "event"
    PRODUCT = "product"
    CATEGORY = "category"
    TOPIC = "topic"
    MESSAGE = "message"
    SCORE = "score"
    STEP = "step"


@dataclass(frozen=True, slots=True)
class Reference:
    """`path` leads to the value in its file that is the name. `message` names a step inside a journey."""

    kind: ReferenceKind
    name: str
    path: KeyPath


def iter_references(rule: Rule) -> Iterator[Reference]:
    """Every name in `rule`, in the order of the file."""
    for leaf in iter_leaves(rule):
        yield from _names(leaf)


def _names(leaf: Leaf) -> Iterator[Reference]:
    match leaf:
        case SegmentRule(slug=slug):
            yield Reference(ReferenceKind.SEGMENT, slug, (*leaf.path, "segment"))
        case ListRule(slug=slug):
            yield Reference(ReferenceKind.LIST, slug, (*leaf.path, "list"))
        case AttributeRule(name=name):
            yield Reference(ReferenceKind.ATTRIBUTE, name, (*leaf.path, "attribute"))
        case EventRule(names=(name,)):
            yield Reference(ReferenceKind.EVENT, name, (*leaf.path, "event"))
        case EventRule(names=names):
            for place, name in enumerate(names):
                yield Reference(ReferenceKind.EVENT, name, (*leaf.path, "event", place))
        case ConsentRule(topic=topic):
            yield Reference(ReferenceKind.TOPIC, topic, (*leaf.path, "consent"))
        case MessageRule(name=name):
            yield Reference(ReferenceKind.MESSAGE, name, (*leaf.path, "message"))
        case ScoreRule(name=name):
            yield Reference(ReferenceKind.SCORE, name, (*leaf.path, "score"))
        case RankRule(basis=str(name)):
            yield Reference(ReferenceKind.ATTRIBUTE, name, (*leaf.path, "rank", "by"))
        case RankRule(basis=Reckoning(names=(name,))):
            yield Reference(ReferenceKind.EVENT, name, (*leaf.path, "rank", "by", "event"))
        case RankRule(basis=Reckoning(names=names)):
            for place, name in enumerate(names):
                yield Reference(ReferenceKind.EVENT, name, (*leaf.path, "rank", "by", "event", place))
        case SequenceRule():
            yield from _parts(leaf)
        case OwnsRule(by=by, names=names):
            for name in names:
                yield Reference(ReferenceKind(by.value), name, (*leaf.path, "owns", by.value))
        case NearRule():
            for name in (LATITUDE, LONGITUDE):
                yield Reference(ReferenceKind.ATTRIBUTE, name, (*leaf.path, "near"))
        case AnniversaryRule(attribute=name):
            yield Reference(ReferenceKind.ATTRIBUTE, name, (*leaf.path, "anniversary", "attribute"))
        case BranchRule(step=step):
            yield Reference(ReferenceKind.STEP, step, (*leaf.path, "branch"))
        case StepRule(step=step):
            yield Reference(ReferenceKind.STEP, step, (*leaf.path, "step"))


def _parts(leaf: SequenceRule) -> Iterator[Reference]:
    for place, part in enumerate(leaf.parts):
        for name in part.names:
            yield Reference(ReferenceKind.EVENT, name, (*leaf.path, "sequence", place, "event"))
