"""What goes with some products, for a page whose reader is unknown or whose history is at hand. Pure.

It says what `offers` says, much faster: out of memory, and with lists, because a basket has few products, and so few
candidates that arrays would cost more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop

from core.ids import derived_id
from recommender.choice import Candidate, Level, deepest
from recommender.decisions import StoredDecision, StoredItem
from recommender.eligibility import is_outside
from recommender.history import History
from recommender.offer_definition import Fallback, Model, Offer
from recommender.offers import choose_products, is_held_out, tell_reason
from recommender.published import Index
from recommender.related import basis_of
from recommender.serving.shelf import Shelf

_CONSIDERED = 60


@dataclass(frozen=True, slots=True)
class Counter:
    """What a process offers from: `shelf` is the one for the offer's own conditions."""

    index: Index
    shelf: Shelf

    def propose(self, offer: Offer, skus: Sequence[str], *, surface: str, now: datetime) -> StoredDecision:
        """As `propose_to_nobody`. The shelf must know all that `skus` name, or be whole."""
        items: tuple[StoredItem, ...] = ()
        level = Level.NONE
        if is_outside(offer, now) is None and offer.eligible is None:
            basis = dict.fromkeys(skus, 1.0) if offer.recommend.model is Model.ITEM_ITEM else {}
            chosen = self._choose(offer, History(), skus, basis, now, is_holdout=False)
            items = self._told(chosen)
            level = deepest(one.level for one in chosen)
        rules = self.index.rule_set_id
        number = derived_id("offer_decision", offer.slug, surface, rules, *(item.sku for item in items))
        return StoredDecision(number, offer.slug, surface, None, False, rules, level, items, now)

    def decide(
        self,
        offer: Offer,
        number: int,
        history: History,
        skus: Sequence[str],
        *,
        name: str,
        surface: str,
        now: datetime,
    ) -> StoredDecision:
        """What `decide_offers` decides for a profile who may see the offer, under the id `name`, where `can_decide`."""
        held_out = is_held_out(offer, number)
        basis = {} if held_out else basis_of(offer.recommend, history, skus)
        chosen = self._choose(offer, history, skus, basis, now, is_holdout=held_out)
        level = deepest(one.level for one in chosen)
        rules = self.index.rule_set_id
        return StoredDecision(name, offer.slug, surface, number, held_out, rules, level, self._told(chosen), now)

    def _choose(
        self,
        offer: Offer,
        history: History,
        skus: Sequence[str],
        basis: Mapping[str, float],
        now: datetime,
        *,
        is_holdout: bool,
    ) -> list[Candidate]:
        companions = companions_of(self.index, basis)
        return choose_products(
            self.index, self.shelf, offer, history, skus, basis, companions, now, is_holdout=is_holdout
        )

    def _told(self, chosen: Iterable[Candidate]) -> tuple[StoredItem, ...]:
        return tuple([StoredItem(one.sku, tell_reason(one, self.shelf), round(one.score, 6)) for one in chosen])


def can_decide(offer: Offer) -> bool:
    """Whether memory suffices: who may see the offer and what runs out at whom, the database knows alone, and of what
    the held-out see where an offer may stay empty, `offers` does.
    """
    recommend = offer.recommend
    fills_up = recommend.model is Model.BESTSELLERS or recommend.fallback is Fallback.BESTSELLERS
    return offer.eligible is None and not offer.limits and recommend.model is not Model.REPLENISHMENT and fills_up


def companions_of(index: Index, basis: Mapping[str, float]) -> Iterator[Candidate]:
    """What goes with the products together, each counting so much, best first: as `ranking.propose` for one row."""
    companion, score = index.ranking.companion, index.ranking.score
    first: dict[int, tuple[float, int]] = {}
    more: dict[int, list[tuple[float, int]]] = {}
    known = [(place, weight) for sku, weight in basis.items() if (place := index.positions.get(sku)) is not None]
    for place, weight in sorted(known):
        values = score[place] if weight == 1 else score[place] * weight
        for item, value in zip(companion[place].tolist(), values.tolist(), strict=True):
            if item < 0:
                break
            if item not in first:
                first[item] = value, place
            else:
                more.setdefault(item, [first[item]]).append((value, place))
    for item, parts in more.items():
        parts.sort(key=_best_first)
        first[item] = sum(value for value, _ in parts), parts[0][1]
    names = index.ranking.skus
    waiting = [(-total, item, because) for item, (total, because) in first.items()]
    heapify(waiting)  # few are ever asked for
    for _ in range(min(len(waiting), _CONSIDERED)):
        total, item, because = heappop(waiting)
        yield Candidate(names[item], Level.RULES, -total, names[because])


def _best_first(part: tuple[float, int]) -> tuple[float, int]:
    return -part[0], part[1]
