"""Pairs of profiles that may be one person, put before somebody who decides; here nothing is merged.

A pair that was decided is never proposed again, whichever of its two has meanwhile become part of another profile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from core.database import batches, insert_ignore
from core.vault import Vault
from customers.addresses import without_tag
from customers.ownership import families_of, survivors_of
from customers.tables import IdentityKind, ProfileStatus, identity, merge_review, profile

_BATCH = 2_000

Pair = tuple[int, int]  # the smaller id first


class ReviewStatus(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    APART = "apart"


class ReviewReason(StrEnum):
    """Why two profiles may be one person."""

    ALIAS = "alias"  # a call says so of two users who are both known
    PLUS_TAG = "plus_tag"  # ann@shop.example and ann+news@shop.example
    SAME_EMAIL = "same_email"
    SAME_PHONE = "same_phone"
    MANUAL = "manual"  # decided without having been proposed


def propose(connection: Connection, pairs: Iterable[tuple[int, int]], reason: ReviewReason, now: datetime) -> int:
    """Put pairs of profiles into the queue, unless they are there, are one already, or were decided; answers how many
    are new. Of a merged profile its survivor is meant.
    """
    proposed = sorted({pair for pair in pairs if pair[0] != pair[1]})
    added = 0
    for some in batches(proposed, _BATCH):
        now_are = survivors_of(connection, {number for pair in some for number in pair})
        heads = {
            (min(first, second), max(first, second))
            for first, second in ((now_are[one], now_are[other]) for one, other in some)
            if first != second
        }
        fresh = sorted(heads - _decided(connection, heads))
        rows = [
            {
                "first_profile_id": first,
                "second_profile_id": second,
                "reason": reason.value,
                "status": ReviewStatus.OPEN.value,
                "found_at": now,
            }
            for first, second in fresh
        ]
        added += len(insert_ignore(connection, merge_review, rows, returning=["id"]))
    return added


def _decided(connection: Connection, pairs: Collection[Pair]) -> set[Pair]:
    """Those of `pairs` that somebody has decided: about them, or about profiles that are part of them now."""
    heads = {number for pair in pairs for number in pair}
    of_member = {member: head for head, members in families_of(connection, heads).items() for member in members}
    review = merge_review.c
    decided: set[Pair] = set()
    for some in batches(sorted(of_member), _BATCH):
        query = select(review.first_profile_id, review.second_profile_id).where(
            review.first_profile_id.in_(some), review.status != ReviewStatus.OPEN.value
        )
        for first, second in connection.execute(query):
            if second in of_member:
                one, other = of_member[first], of_member[second]
                decided.add((min(one, other), max(one, other)))
    return decided


def propose_plus_tags(connection: Connection, vault: Vault, gained: Sequence[tuple[int, str]], now: datetime) -> int:
    """Propose whoever gained a plus-tagged address together with the owner of the address without the tag.

    The other way round, when the plain address comes second, is found by `postilion merges find`. Costs nothing where
    no address has a tag. Answers how many pairs are new.
    """
    tagged = [(owner, plain) for owner, value in gained if "+" in value and (plain := without_tag(value)) is not None]
    if not tagged:
        return 0
    lookup_of = {plain: vault.blind_index(IdentityKind.EMAIL.value, plain) for _, plain in tagged}
    owners = owners_of(connection, IdentityKind.EMAIL, set(lookup_of.values()))
    pairs = [(owner, other) for owner, plain in tagged for other in owners.get(lookup_of[plain], ())]
    return propose(connection, pairs, ReviewReason.PLUS_TAG, now) if pairs else 0


def owners_of(connection: Connection, kind: IdentityKind, lookups: Collection[str]) -> dict[str, list[int]]:
    """Whose each address is, oldest profile first; without those who were merged or erased, or were made up."""
    owners: dict[str, list[int]] = {}
    for some in batches(sorted(lookups), _BATCH):
        query = (
            select(identity.c.lookup, identity.c.profile_id)
            .join(profile)
            .where(
                identity.c.kind == kind.value,
                identity.c.lookup.in_(some),
                identity.c.is_synthetic.is_(False),
                profile.c.status == ProfileStatus.ACTIVE.value,
            )
        )
        for lookup, owner in connection.execute(query.order_by(identity.c.profile_id)):
            owners.setdefault(lookup, []).append(owner)
    return owners
