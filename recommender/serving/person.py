"""What one known person is offered on a page: by what the database tells of them at this moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from core.errors import InputError
from core.runtime import Runtime
from core.vault import Vault
from customers.identities import lookup_of, normalise
from customers.tables import IdentityKind, ProfileStatus, identity, profile
from recommender.decisions import StoredDecision, StoredItem, decision_ids, find_decision
from recommender.eligibility import Withheld, is_outside
from recommender.history import load_history
from recommender.offer_definition import Offer
from recommender.offers import decide_offers
from recommender.serving.counter import Counter, can_decide

_IMPERSONAL = (Withheld.NO_PROFILE, Withheld.OBJECTED)
_PERSON = (
    select(profile.c.id, profile.c.status, profile.c.objected_at)
    .join(identity, identity.c.profile_id == profile.c.id)
    .where(
        identity.c.kind == IdentityKind.VISITOR.value,
        identity.c.lookup == bindparam("lookup"),
        profile.c.status != ProfileStatus.MERGED.value,
    )
    .order_by(profile.c.id)
    .limit(1)
)

Find = Callable[[str], StoredDecision | None]


def decide_for_visitor(
    runtime: Runtime,
    offer: Offer,
    visitor: str,
    skus: Sequence[str],
    counter: Counter,
    *,
    surface: str,
    find_noted: Find,
) -> StoredDecision | None:
    """The decision for a visitor; None where there is nobody to decide for, or somebody of whom nothing may be used.

    It is decided anew each hour, so that reloading a page changes nothing and coming back tomorrow does, and when a
    product of it is no longer for sale. It is not written; `find_noted` finds those that are yet to be.
    """
    now = runtime.clock.now()
    cause = "|".join(("widget", str(offer.recommend.count), f"{now:%Y-%m-%dT%H}", *skus))
    with runtime.database.read() as connection:
        number = find_person(connection, runtime.vault, visitor)
        if number is None:
            return None

        def decided(cause: str) -> StoredDecision | None:
            name = decision_ids(offer.slug, cause, [number])[number]
            standing = find_noted(name) or find_decision(connection, name)
            if standing is not None:
                return standing
            if not counter.shelf.is_whole or not can_decide(offer) or is_outside(offer, now) is not None:
                return _ask_database(connection, runtime, offer, number, skus, cause, surface, now, counter)
            history = load_history(connection, number, now)
            return counter.decide(offer, number, history, skus, name=name, surface=surface, now=now)

        found = decided(cause)
        gone = _sold_out(found, counter) if found is not None else []
        return decided("|".join((cause, "without", *gone))) if gone else found


def find_person(connection: Connection, vault: Vault, visitor: str) -> int | None:
    """The profile with this visitor id, if their data may be used for recommendations."""
    try:
        lookup = lookup_of(vault, IdentityKind.VISITOR, normalise(IdentityKind.VISITOR, visitor))
    except InputError:
        return None
    row = connection.execute(_PERSON, {"lookup": lookup}).one_or_none()
    if row is None or row.status != ProfileStatus.ACTIVE or row.objected_at is not None:
        return None
    number: int = row.id
    return number


def _sold_out(decision: StoredDecision, counter: Counter) -> list[str]:
    shelf = counter.shelf
    return [item.sku for item in decision.items if not shelf.is_for_sale(item.sku)] if shelf.is_whole else []


def _ask_database(
    connection: Connection,
    runtime: Runtime,
    offer: Offer,
    number: int,
    skus: Sequence[str],
    cause: str,
    surface: str,
    now: datetime,
    counter: Counter,
) -> StoredDecision | None:
    decided = decide_offers(
        connection,
        offer,
        [number],
        surface=surface,
        key=cause,
        now=now,
        entry_skus={number: skus} if skus else {},
        vault=runtime.vault,
        records=False,
        catalogue=counter.shelf if counter.shelf.is_whole else None,
    )[number]
    if decided.withheld in _IMPERSONAL:
        return None
    items = tuple(StoredItem(item.sku, item.reason, item.score) for item in decided.items)
    return StoredDecision(
        decided.id,
        decided.offer,
        surface,
        number,
        decided.is_holdout,
        decided.rule_set_id,
        decided.fallback_level,
        items,
        now,
    )
