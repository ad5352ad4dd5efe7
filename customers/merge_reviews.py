"""The queue of pairs that may be one person: what stands in it, and what somebody decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.database import insert_ignore
from core.errors import ConflictError, InputError, NotFoundError
from core.vault import Vault
from customers.merges import MergeCause, get_merge, merge, split
from customers.ownership import survivors_of
from customers.proposals import ReviewReason, ReviewStatus, propose
from customers.tables import IdentityKind, identity, merge_review
from customers.workspace import Workspace

__all__ = ["Review", "accept", "get_review", "keep_apart", "list_reviews", "merge_by_hand", "propose", "undo"]


@dataclass(frozen=True, slots=True)
class Review:
    """Two profiles, as they are called now: of one that was merged meanwhile the survivor."""

    id: int
    first_profile_id: int
    second_profile_id: int
    reason: str
    status: ReviewStatus
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None


def list_reviews(connection: Connection, *, after: int = 0, limit: int = 100) -> list[Review]:
    """What waits for a decision, oldest first; pairs that have become one person meanwhile are left out."""
    found: list[Review] = []
    while len(found) < limit:
        query = select(merge_review).where(merge_review.c.status == ReviewStatus.OPEN.value, merge_review.c.id > after)
        rows = connection.execute(query.order_by(merge_review.c.id).limit(limit)).all()
        reviews = _reviews(connection, rows)
        found += [one for one in reviews if one.first_profile_id != one.second_profile_id]
        if len(rows) < limit:
            break
        after = rows[-1].id
    return found[:limit]


def get_review(connection: Connection, review_id: int) -> Review:
    """Raises NotFoundError when there is none of that number."""
    rows = connection.execute(select(merge_review).where(merge_review.c.id == review_id)).all()
    if not rows:
        raise NotFoundError(f"there is no pair {review_id} in the review queue: see `postilion merges list`.")
    return _reviews(connection, rows)[0]


def accept(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    review_id: int,
    *,
    by: str,
    now: datetime,
    keep: int | None = None,
) -> int:
    """Merge the two; answers the number of the merge. `keep` is who shall remain: by default the one whom the shop
    knows by an external id, else the older.
    """
    review = _get_open(connection, review_id)
    pair = (review.first_profile_id, review.second_profile_id)
    if pair[0] == pair[1]:
        raise ConflictError(f"the two of pair {review_id} are one person already.")
    if keep is not None and keep not in pair:
        raise InputError(f"profile {keep} is not one of the pair: name {pair[0]} or {pair[1]}.")
    survivor_id = keep if keep is not None else _better_known(connection, pair)
    merged_id = pair[1] if survivor_id == pair[0] else pair[0]
    merge_id = merge(connection, vault, workspace, survivor_id, merged_id, cause=MergeCause.REVIEW, source=by, now=now)
    _decide(connection, review_id, ReviewStatus.MERGED, by, now)
    return merge_id


def keep_apart(connection: Connection, review_id: int, *, by: str, now: datetime) -> None:
    """Note that the two are two people; they are never proposed again."""
    _get_open(connection, review_id)
    _decide(connection, review_id, ReviewStatus.APART, by, now)


def merge_by_hand(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    survivor_id: int,
    merged_id: int,
    *,
    by: str,
    now: datetime,
) -> int:
    """Merge two who need not have been proposed; answers the number of the merge."""
    merge_id = merge(connection, vault, workspace, survivor_id, merged_id, cause=MergeCause.MANUAL, source=by, now=now)
    _decide_pair(connection, survivor_id, merged_id, ReviewStatus.MERGED, by, now)
    return merge_id


def undo(connection: Connection, vault: Vault, workspace: Workspace, merge_id: int, *, by: str, now: datetime) -> int:
    """Split what a merge made one, and note that they are two; answers the number of the split."""
    row = get_merge(connection, merge_id)
    split_id = split(connection, vault, workspace, merge_id, source=by, now=now)
    _decide_pair(connection, row.profile_id, row.merged_profile_id, ReviewStatus.APART, by, now)
    return split_id


def _reviews(connection: Connection, rows: Sequence[Row[Any]]) -> list[Review]:
    now_are = survivors_of(
        connection, {number for row in rows for number in (row.first_profile_id, row.second_profile_id)}
    )
    return [
        Review(
            row.id,
            now_are[row.first_profile_id],
            now_are[row.second_profile_id],
            row.reason,
            ReviewStatus(row.status),
            row.found_at,
            row.decided_at,
            row.decided_by,
        )
        for row in rows
    ]


def _get_open(connection: Connection, review_id: int) -> Review:
    review = get_review(connection, review_id)
    if review.status is not ReviewStatus.OPEN:
        word = "merged" if review.status is ReviewStatus.MERGED else "kept apart"
        raise ConflictError(f"pair {review_id} was {word} by {review.decided_by} already.")
    return review


def _better_known(connection: Connection, pair: tuple[int, int]) -> int:
    named = select(identity.c.profile_id).where(
        identity.c.profile_id.in_(pair), identity.c.kind == IdentityKind.EXTERNAL_ID.value
    )
    return min(connection.scalars(named), default=min(pair))


def _decide(connection: Connection, review_id: int, status: ReviewStatus, by: str, now: datetime) -> None:
    statement = update(merge_review).where(merge_review.c.id == review_id)
    connection.execute(statement.values(status=status.value, decided_at=now, decided_by=by[:100]))


def _decide_pair(connection: Connection, one: int, other: int, status: ReviewStatus, by: str, now: datetime) -> None:
    """Note a decision about two who may not stand in the queue."""
    pair = {"first_profile_id": min(one, other), "second_profile_id": max(one, other)}
    decision = {"status": status.value, "decided_at": now, "decided_by": by[:100]}
    row = {**pair, **decision, "reason": ReviewReason.MANUAL.value, "found_at": now}
    insert_ignore(connection, merge_review, [row])
    of_pair = [merge_review.c[name] == value for name, value in pair.items()]
    connection.execute(update(merge_review).where(*of_pair).values(**decision))
