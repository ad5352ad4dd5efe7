"""The record of merges and splits: rows that are only ever added, and an event in the survivor's log for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert

from customers.log import NewEvent, append_own_events
from customers.tables import profile_merge
from customers.touches import TouchKind, touch


class MergeKind(StrEnum):
    MERGE = "merge"
    SPLIT = "split"


class MergeCause(StrEnum):
    """Why two profiles were taken for one person."""

    VISITOR = "visitor"  # an anonymous visitor turned out to be somebody
    REVIEW = "review"  # somebody decided what the review queue proposed
    MANUAL = "manual"


EVENTS = {MergeKind.MERGE: "profile_merged", MergeKind.SPLIT: "profile_split"}


@dataclass(frozen=True, slots=True)
class NewMerge:
    """`profile_id` remains; `splits` is the merge that a split undoes."""

    profile_id: int
    merged_profile_id: int
    cause: str
    source: str
    kind: MergeKind = MergeKind.MERGE
    splits: int | None = None
    sealed_document: bytes | None = field(default=None, repr=False)


def record_merges(connection: Connection, new: Sequence[NewMerge], now: datetime) -> list[int]:
    """Add the rows and their events; answers the ids, in the same order."""
    rows = [
        {
            "kind": one.kind.value,
            "profile_id": one.profile_id,
            "merged_profile_id": one.merged_profile_id,
            "cause": str(one.cause),
            "source": one.source[:100],
            "splits": one.splits,
            "sealed_document": one.sealed_document,
            "occurred_at": now,
        }
        for one in new
    ]
    statement = insert(profile_merge).returning(profile_merge.c.id, sort_by_parameter_order=True)
    ids = list(connection.execute(statement, rows).scalars())
    touch(
        connection, {number for one in new for number in (one.profile_id, one.merged_profile_id)}, TouchKind.REWRITTEN
    )
    append_own_events(connection, [_event(number, one, now) for number, one in zip(ids, new, strict=True)], now)
    return ids


def _event(number: int, one: NewMerge, now: datetime) -> NewEvent:
    properties = {"merge_id": number, "other_profile_id": one.merged_profile_id, "cause": str(one.cause)}
    return NewEvent(EVENTS[one.kind], now, one.source[:50], f"merge:{number}", one.profile_id, properties)
