"""Conditions answered from memory: attributes and events of one person, as the compiled queries answer them.

The same matchers as everywhere; what stands here is only which value each condition compares. Pure.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from journeys.simulation.memory import Known, Memory
from journeys.steps.reckoning import reckon
from segments.language.matcher import match_value, match_where
from segments.language.rules import AT_LEAST_ONCE, EventRule, SequenceRule


def events_hold(leaf: EventRule, memory: Memory, now: datetime, zone: ZoneInfo) -> bool:
    """Whether the events in [start, now) are as `leaf` asks."""
    found = [
        known.plain
        for known in memory.find(leaf.names, leaf.starts_at(now))
        if known.event.occurred_at < now and match_where(leaf.where, known.plain, now=now, zone=zone)
    ]
    if leaf.aggregates == (AT_LEAST_ONCE,):
        return bool(found)
    return all(match_value(one.matcher, reckon(one, found), now=now, zone=zone) for one in leaf.aggregates)


def sequence_holds(leaf: SequenceRule, memory: Memory, now: datetime, zone: ZoneInfo) -> bool:
    """Whether events of all parts followed one another. Of the chains to an event only the latest begun matters."""
    names = tuple(dict.fromkeys(name for part in leaf.parts for name in part.names))
    began: list[datetime | None] = [None] * len(leaf.parts)
    for known in memory.find(names, leaf.start):
        at = known.event.occurred_at
        if at >= now:
            break
        for place in reversed(range(len(leaf.parts))):
            start = began[place - 1] if place else at
            if start is None or not _is_part(known, leaf, place, now, zone):
                continue
            began[place] = max(start, began[place] or start)
            if place + 1 == len(leaf.parts) and (leaf.within is None or at - start < leaf.within):
                return True
    return False


def _is_part(known: Known, leaf: SequenceRule, place: int, now: datetime, zone: ZoneInfo) -> bool:
    part = leaf.parts[place]
    return known.event.name in part.names and match_where(part.where, known.plain, now=now, zone=zone)
