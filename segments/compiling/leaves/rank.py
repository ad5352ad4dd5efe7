"""Conditions on ranks: whether the place that the last ranking gave a person lies in a share of all who were ranked.

Shares are exact, in whole numbers: of n people, `top` p hundredths of a percent are the places r with 10,000 r ≤ p n,
`bottom` those with 10,000 (n - r + 1) ≤ p n, and quintile q those where 5 (r - 1) divided by n, rounded down, is 5 - q.
Who has no place, or was never ranked, is in no share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from customers.tables import profile
from segments.compiling.values import Predicate
from segments.language.rules import RankRule, Share, ShareKind
from segments.ranks.bases import name_of
from segments.tables import segment_rank, segment_rank_run

_WHOLE = 10_000  # hundredths of a percent
_FIFTHS = 5


def rank_predicate(rule: RankRule, batch: Sequence[int] | None) -> Predicate:
    """Of some people each is looked up; of everybody the share is found once, and all are compared with it."""
    placed, run = segment_rank.c, segment_rank_run.c
    inside = (
        select(placed.profile_id)
        .select_from(segment_rank.join(segment_rank_run, run.basis == placed.basis))
        .where(placed.basis == name_of(rule.basis), lies_in(rule.share, placed.place, run.counted))
    )
    if batch is None:
        return profile.c.id.in_(inside)
    return inside.where(placed.profile_id == profile.c.id).correlate(profile).exists()


def lies_in(share: Share, place: ColumnElement[Any], counted: ColumnElement[Any]) -> Predicate:
    """Whether `place`, from 1 for the highest to `counted`, lies in `share`."""
    if share.kind is ShareKind.TOP:
        return place * _WHOLE <= counted * share.amount
    if share.kind is ShareKind.BOTTOM:
        return (counted - place + 1) * _WHOLE <= counted * share.amount
    before = (place - 1) * _FIFTHS  # without a division, which is not the same everywhere
    return and_(before >= counted * (_FIFTHS - share.amount), before < counted * (_FIFTHS + 1 - share.amount))
