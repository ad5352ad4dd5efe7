"""Who may be shown an offer at all: the right time, the right people, and not too often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, func, select, union

from core.bulk import among
from core.vault import Vault
from customers.tables import ProfileStatus, profile
from customers.workspace import get_workspace
from delivery.tables import message
from recommender.offer_definition import Offer, ShowLimit
from recommender.tables import offer_decision, offer_impression
from segments.definition import load_segments, rules_of
from segments.language.rules import Rule, SegmentRule, iter_leaves
from segments.membership import matching


class Withheld(StrEnum):
    """Why somebody is offered nothing."""

    NOT_LIVE = "not_live"
    NOT_NOW = "not_now"
    NO_PROFILE = "no_profile"
    OBJECTED = "objected"
    NOT_ELIGIBLE = "not_eligible"
    SHOWN_ENOUGH = "shown_enough"


def find_withheld(
    connection: Connection,
    offer: Offer,
    profile_ids: Sequence[int],
    *,
    surface: str,
    now: datetime,
    vault: Vault | None = None,
) -> dict[int, Withheld]:
    """Those of at most some thousand profiles to whom the offer is not shown, and why; the others may see it."""
    outside = is_outside(offer, now)
    if outside is not None:
        return dict.fromkeys(profile_ids, outside)
    withheld = find_barred(connection, profile_ids)
    left = [number for number in profile_ids if number not in withheld]
    if offer.eligible is not None and left:
        fits = _fitting(connection, offer.eligible, left, now, vault)
        withheld |= {number: Withheld.NOT_ELIGIBLE for number in left if number not in fits}
    for limit in offer.limits:
        if limit.channel is None or limit.channel == surface:
            often = _shown_often(connection, offer.slug, limit, left, now)
            withheld |= {number: Withheld.SHOWN_ENOUGH for number in left if number in often}
    return withheld


def find_barred(connection: Connection, profile_ids: Sequence[int]) -> dict[int, Withheld]:
    """Those who are not there (any more), whose data may not be used, or who objected: nothing is recommended to them,
    neither anew nor what was chosen before.
    """
    query = select(profile.c.id, profile.c.objected_at).where(
        among(connection, profile.c.id, profile_ids), profile.c.status == ProfileStatus.ACTIVE
    )
    active = dict(connection.execute(query).tuples().all())
    barred = {number: Withheld.NO_PROFILE for number in profile_ids if number not in active}
    return barred | {number: Withheld.OBJECTED for number, objected_at in active.items() if objected_at is not None}


def is_outside(offer: Offer, now: datetime) -> Withheld | None:
    """Whether the offer is not live, or not yet, or no more."""
    if not offer.is_live:
        return Withheld.NOT_LIVE
    early = offer.valid_from is not None and now < offer.valid_from
    late = offer.valid_to is not None and now >= offer.valid_to
    return Withheld.NOT_NOW if early or late else None


def _fitting(
    connection: Connection, rule: Rule, profile_ids: Sequence[int], now: datetime, vault: Vault | None
) -> set[int]:
    asks_segments = any(isinstance(leaf, SegmentRule) for leaf in iter_leaves(rule))
    segments = rules_of(load_segments(connection)) if asks_segments else {}
    workspace = get_workspace(connection)
    return matching(connection, rule, profile_ids, now, workspace=workspace, segments=segments, vault=vault)


def _shown_often(
    connection: Connection, slug: str, limit: ShowLimit, profile_ids: Sequence[int], now: datetime
) -> set[int]:
    """Those who have had enough: an answer counts once that was seen on a page, and once that was sent in a message."""
    decision, since = offer_decision.c, now - limit.per
    ours = [decision.offer == slug] + ([decision.surface == limit.channel] if limit.channel is not None else [])
    seen = (
        select(decision.profile_id, decision.id)
        .join(offer_impression, offer_impression.c.decision_id == decision.id)
        .where(
            *ours,
            among(connection, decision.profile_id, profile_ids),
            offer_impression.c.kind == "shown",
            offer_impression.c.occurred_at >= since,
            offer_impression.c.occurred_at < now,
        )
    )
    sent = (
        select(message.c.profile_id, decision.id)
        .join(offer_decision, decision.id == message.c.decision_id)
        .where(
            *ours,
            among(connection, message.c.profile_id, profile_ids),
            message.c.sent_at >= since,
            message.c.sent_at < now,
        )
    )
    showing = union(seen, sent).subquery()  # each decision once, however often it was seen
    query = select(showing.c.profile_id).group_by(showing.c.profile_id).having(func.count() >= limit.shows)
    return set(connection.execute(query).scalars())
