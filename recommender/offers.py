"""Deciding what is offered to whom, for many profiles at once.

A chain of candidates (what is bought together with the profile's basket, best sellers of its categories, best sellers,
the catalogue) runs through hard filters until the offer's places are filled. A share of the profiles, drawn by a hash,
sees best sellers instead, so that the worth of the rest can be measured. Once made, a decision is answered unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from msgspec import Struct, structs
from sqlalchemy import Connection

from core.database import batches
from core.ids import bucket, derived_id
from core.vault import Vault
from recommender.catalogue import Catalogue
from recommender.choice import Candidate, Level, choose, deepest
from recommender.decisions import (
    StoredDecision,
    StoredItem,
    decision_ids,
    find_decisions,
    record_decisions,
)
from recommender.eligibility import Withheld, find_barred, find_withheld, is_outside
from recommender.filling import fill_from_rules, told_companion
from recommender.history import BOUGHT_LATELY, Histories, History, load_histories
from recommender.offer_definition import Basis, Fallback, Model, Offer
from recommender.published import Index, get_index
from recommender.related import Related, basis_of, best_selling
from recommender.replenishing import Replenishing

_BATCH = 5_000
_MANY = 200  # from so many on, the rules are asked for all at once
_CATEGORIES = 3
_NOBODY = 0


class OfferItem(Struct, frozen=True, gc=False):
    """One product as a template shows it; `price` is in minor units of `currency`, `reason` in a customer's words."""

    sku: str
    name: str
    price: int | None
    currency: str | None
    url: str | None
    image_url: str | None
    reason: str
    score: float


class OfferDecision(Struct, frozen=True, gc=False):
    """What one profile is offered. `withheld` says why there is nothing, and then no decision is stored under `id`."""

    id: str
    offer: str
    items: tuple[OfferItem, ...]
    is_holdout: bool
    fallback_level: Level
    withheld: Withheld | None = None
    rule_set_id: int | None = None
    code: str | None = None  # the same for all; one from a pool is drawn by whoever has an owner for it
    code_ends_at: datetime | None = None


def decide_offers(
    connection: Connection,
    offer: Offer,
    profile_ids: Sequence[int],
    *,
    surface: str,
    key: str,
    now: datetime,
    entry_skus: Mapping[int, Sequence[str]] | None = None,
    vault: Vault | None = None,
    ranked: int = 0,
    records: bool = True,
    catalogue: Catalogue | None = None,
) -> dict[int, OfferDecision]:
    """A decision for every given profile. `key` names the cause: the same cause gets the same decision, however often.

    `surface` is email, sms or widget; `entry_skus` gives the products of the event that began it, by profile. `vault`
    is needed where `eligible` asks for a sealed attribute (else InputError). With `ranked`, at least so many products
    are chosen where there are as many, in the same order. Names and prices are those of now, also in
    a decision that was made before. Without `records` all are made anew, and none is kept. `catalogue` is one that is
    at hand already, judged by the offer's own conditions.
    """
    if ranked > offer.recommend.count:
        offer = replace(offer, recommend=replace(offer.recommend, count=ranked))
    catalogue = catalogue or Catalogue(connection, offer.recommend.where, now)
    index = get_index(connection)
    decided: dict[int, OfferDecision] = {}
    for some in batches(list(dict.fromkeys(profile_ids)), _BATCH):
        ids = decision_ids(offer.slug, key, some)
        standing = find_decisions(connection, list(ids.values())) if records else {}
        new = [number for number in some if ids[number] not in standing]
        withheld = find_withheld(connection, offer, new, surface=surface, now=now, vault=vault) if new else {}
        if standing:
            withheld |= find_barred(connection, [number for number in some if ids[number] in standing])
        chosen = [number for number in new if number not in withheld]
        if chosen:
            histories = load_histories(connection, chosen, now)
            fresh = _decide(connection, index, catalogue, offer, histories, entry_skus or {}, ids, surface, now)
            standing |= record_decisions(connection, fresh) if records else {one.id: one for one in fresh}
        catalogue.load(item.sku for decision in standing.values() for item in decision.items)
        for number in some:
            stored = standing.get(ids[number]) if number not in withheld else None
            decided[number] = (
                _with_code(offer, stored, _shown(stored, catalogue))
                if stored is not None
                else OfferDecision(ids[number], offer.slug, (), is_holdout=False, fallback_level=Level.NONE,
                                   withheld=withheld.get(number))
            )  # fmt: skip
    return decided


def propose_to_nobody(
    connection: Connection, offer: Offer, skus: Sequence[str], *, surface: str, now: datetime
) -> StoredDecision:
    """What goes with some products, for a page whose reader is unknown; nothing is stored.

    Its id is derived from the answer, so that equal answers are one decision. It has no items where the offer is not
    live or asks for people of a kind.
    """
    index = get_index(connection)
    items: tuple[StoredItem, ...] = ()
    level = Level.NONE
    if is_outside(offer, now) is None and offer.eligible is None:
        to_all = replace(offer, recommend=replace(offer.recommend, holdout=Decimal(0), of=Basis.ENTRY))
        catalogue = Catalogue(connection, offer.recommend.where, now)
        (answer,) = _decide(
            connection, index, catalogue, to_all, Histories([_NOBODY]), {_NOBODY: skus}, {_NOBODY: ""}, surface, now
        )
        items, level = answer.items, answer.fallback_level
    number = derived_id("offer_decision", offer.slug, surface, index.rule_set_id, *(item.sku for item in items))
    return StoredDecision(number, offer.slug, surface, None, False, index.rule_set_id, level, items, now)


def show_decision(connection: Connection, stored: StoredDecision) -> OfferDecision:
    """A decision with what its products are called and cost now."""
    catalogue = Catalogue(connection)
    catalogue.load(item.sku for item in stored.items)
    return _shown(stored, catalogue)


def is_held_out(offer: Offer, profile_id: int) -> bool:
    """Whether a profile sees best sellers for comparison: by a hash, the same for all time."""
    return profile_id in _held_out(offer, [profile_id])


def _held_out(offer: Offer, profile_ids: Iterable[int]) -> set[int]:
    seed, share = f"offer:{offer.slug}", offer.recommend.holdout * 100
    return {number for number in profile_ids if bucket(seed, number) < share}


def _decide(
    connection: Connection,
    index: Index,
    catalogue: Catalogue,
    offer: Offer,
    histories: Histories,
    entry_skus: Mapping[int, Sequence[str]],
    ids: Mapping[int, str],
    surface: str,
    now: datetime,
) -> list[StoredDecision]:
    held_out = _held_out(offer, histories)
    filled: dict[int, tuple[StoredItem, ...]] = {}
    if len(histories) >= _MANY:
        filled = fill_from_rules(index, catalogue, offer, histories, entry_skus, held_out, now)
    # Whoever sees best sellers for comparison sees them only where the offer itself would have shown something.
    only_some = offer.recommend.model is not Model.BESTSELLERS and offer.recommend.fallback is Fallback.NONE
    bases = {
        number: basis_of(offer.recommend, histories[number], entry_skus.get(number, ()))
        for number in histories
        if number not in filled and (only_some or number not in held_out)
    }
    replenishes = offer.recommend.model is Model.REPLENISHMENT
    proposed = Replenishing(connection, list(bases), now) if replenishes else Related(index, bases)
    catalogue.load({sku for basis in bases.values() for sku in basis} | proposed.skus())

    def chosen_for(number: int) -> list[Candidate]:
        choose_for = partial(choose_products, index, catalogue, offer, histories[number], entry_skus.get(number, ()))
        own = []
        if number in bases:
            own = choose_for(bases[number], proposed.candidates(number), now, is_holdout=False)
        if number not in held_out:
            return own
        sellers = choose_for({}, iter(()), now, is_holdout=True)
        return sellers[: len(own)] if only_some else sellers

    decisions = []
    for number in histories:
        items, level = filled.get(number), Level.RULES
        if items is None:
            chosen = chosen_for(number)
            level = deepest(candidate.level for candidate in chosen)
            items = tuple(StoredItem(item.sku, tell_reason(item, catalogue), round(item.score, 6)) for item in chosen)
        decisions.append(
            StoredDecision(
                ids[number], offer.slug, surface, number, number in held_out, index.rule_set_id, level, items, now
            )
        )
    return decisions


def choose_products(
    index: Index,
    catalogue: Catalogue,
    offer: Offer,
    history: History,
    entry: Sequence[str],
    basis: Mapping[str, float],
    proposed: Iterator[Candidate],
    now: datetime,
    *,
    is_holdout: bool,
) -> list[Candidate]:
    """The products of one offer: what is `proposed`, then best sellers of the categories of `basis`, best sellers, and
    the catalogue, as far as the offer wants that and as they are needed. Pure, if the catalogue is at hand.
    """
    recommend = offer.recommend
    in_basket = {*history.cart, *entry}
    bought = set(history.bought if recommend.exclude_owned else history.bought_since(now - BOUGHT_LATELY))
    fills_up = is_holdout or recommend.model is Model.BESTSELLERS or recommend.fallback is Fallback.BESTSELLERS

    def is_allowed(sku: str) -> bool:
        product = catalogue.find(sku)
        if product is None or not product.is_for_sale or sku in in_basket:
            return False
        return sku not in bought or product.is_replenishable

    def category_of(sku: str) -> str | None:
        product = catalogue.find(sku)
        return product.category if product else None

    def candidates() -> Iterator[Candidate]:
        yield from proposed
        if not fills_up:
            return
        categories = dict.fromkeys(filter(None, map(category_of, basis)))
        for category in list(categories)[:_CATEGORIES]:
            yield from best_selling(index.best_sellers(category), catalogue, Level.CATEGORY, category)
        yield from best_selling(index.best_sellers(), catalogue, Level.BESTSELLERS)

    def last_resort() -> Iterator[Candidate]:
        if fills_up:
            yield from (Candidate(sku, Level.CATALOGUE) for sku in catalogue.everything_for_sale())

    return choose(
        recommend.count,
        candidates(),
        last_resort,
        is_allowed=is_allowed,
        category_of=category_of,
        per_category=recommend.per_category,
    )


def code_for_all(offer: Offer, decided_at: datetime) -> tuple[str, datetime | None] | None:
    """The code that everybody gets with what was decided then, and when it is good no more (UTC)."""
    if offer.code is None or offer.code.static is None:
        return None
    return offer.code.static, offer.code_ends_at(decided_at)


def _with_code(offer: Offer, stored: StoredDecision, shown: OfferDecision) -> OfferDecision:
    found = code_for_all(offer, stored.decided_at) if shown.items else None
    return structs.replace(shown, code=found[0], code_ends_at=found[1]) if found else shown


def tell_reason(item: Candidate, catalogue: Catalogue) -> str:
    """Why a product was chosen, in a customer's words."""
    if item.level is Level.RULES and item.because is not None:
        return told_companion(item.because, catalogue)
    if item.level is Level.REPLENISHMENT:
        return "you may need it again soon"
    if item.level is Level.CATEGORY:
        return f"a favourite in {item.because}"
    return "a best seller" if item.level is Level.BESTSELLERS else "from our range"


def _shown(stored: StoredDecision, catalogue: Catalogue) -> OfferDecision:
    items = []
    for item in stored.items:
        product = catalogue.find(item.sku)
        if product is None:  # taken out of the catalogue since
            continue
        items.append(
            OfferItem(
                item.sku, product.name, product.price, product.currency, product.url, product.image_url,
                item.reason, item.score,
            )
        )  # fmt: skip
    return OfferDecision(
        stored.id, stored.offer, tuple(items), stored.is_holdout, stored.fallback_level, rule_set_id=stored.rule_set_id
    )
