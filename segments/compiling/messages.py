"""Conditions on what became of a message: the send ledger, and what people (not machines) did with it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Select, and_, literal, null, or_, select

from core.columns import Instant
from customers.tables import profile
from delivery.tables import MessageStatus, message
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Element, Plain, Predicate
from segments.language.rules import Happening, MessageRule
from tracking.tables import engagement_event

BY_A_PERSON = 0.5  # from this probability on, an open or a click counts as a person's

_REPORTED = {
    Happening.SENT: message.c.sent_at,
    Happening.DELIVERED: message.c.delivered_at,
    Happening.BOUNCED: message.c.bounced_at,
    Happening.COMPLAINED: message.c.complained_at,
}
_ENDED = {
    Happening.FAILED: MessageStatus.FAILED,
    Happening.SKIPPED: MessageStatus.SKIPPED,
    Happening.UNKNOWN: MessageStatus.UNKNOWN,
}
_DONE_BY_PEOPLE = (Happening.OPENED, Happening.CLICKED)

PROPERTIES: Mapping[str, Element] = {
    "channel": Element(text=message.c.channel),
    "topic": Element(text=message.c.topic),
    "template": Element(text=message.c.template),
    "step": Element(text=message.c.step),
    "variant": Element(text=message.c.variant),
    "reason": Element(text=message.c.reason),
}
ENGAGEMENT_PROPERTIES: Mapping[str, Element] = {
    "link_no": Element(number=engagement_event.c.link_no),
    "link_tag": Element(text=engagement_event.c.link_tag),
}
PROPERTIES_OF_MESSAGES = frozenset({*PROPERTIES, *ENGAGEMENT_PROPERTIES})


def message_predicate(rule: MessageRule, moment: Moment) -> Predicate:
    """Whether one message of the campaign, journey or template called `rule.name` has met with `rule.was`."""
    query = select(literal(1)).where(
        message.c.profile_id == profile.c.id, or_(message.c.origin == rule.name, message.c.template == rule.name)
    )
    known = dict(PROPERTIES)
    if rule.was in _REPORTED:
        query = query.where(_before(_REPORTED[rule.was], moment))
    elif rule.was in _ENDED:
        query = query.where(message.c.status == _ENDED[rule.was].value, _before(message.c.ended_at, moment))
    else:
        query = _engaged(query, rule.was, moment)
        known |= ENGAGEMENT_PROPERTIES
    for test in rule.where:
        query = query.where(matches(_property(test.name, known), test.matcher, moment))
    return query.correlate(profile).exists()


def _engaged(query: Select[tuple[int]], was: Happening, moment: Moment) -> Select[tuple[int]]:
    event = engagement_event.c
    query = query.join_from(message, engagement_event, event.message_id == message.c.id)
    query = query.where(event.kind == was.value, _before(event.occurred_at, moment))
    return query.where(event.human_probability >= BY_A_PERSON) if was in _DONE_BY_PEOPLE else query


def _before(instant: ColumnElement[object], moment: Moment) -> Predicate:
    return and_(instant.is_not(None), instant < literal(moment.now, Instant()))


def _property(name: str, known: Mapping[str, Element]) -> Plain:
    """A property that a message does not have is missing."""
    element = known.get(name, Element())
    value = element.text if element.text is not None else element.number
    return Plain(element, null() if value is None else value)
