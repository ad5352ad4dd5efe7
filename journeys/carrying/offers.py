"""What `offer` steps decide: for everybody who came to the same step, one call of the recommender an offer.

The whole ranking is frozen with the model that made it, and that of the fallback beside it: what is sold out by the
time of sending makes room for the next of the same list. An offer whose pool has no code left counts as none.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Any

from msgspec import structs
from sqlalchemy import Connection

from campaigns.message_context import skus_of_entry
from core.errors import PostilionError
from journeys.answers import Scene
from journeys.carrying.codes import draw_for
from journeys.transition import DecideOffer, Enrolment, Strategy
from recommender.offer_definition import Offer, get_offer
from recommender.offers import OfferDecision, OfferItem, decide_offers

_log = logging.getLogger("postilion.journeys")
_RANKED = 20  # so many products are frozen, where the recommender knows as many


@dataclass(frozen=True, slots=True)
class _Decided:
    """What one enrolment gets of one offer; `code` is (to be) drawn where the offer has a pool."""

    offer: Offer
    decision: OfferDecision
    code: str | None = None
    code_ends_at: datetime | None = None

    @property
    def lacks_code(self) -> bool:
        return self.offer.pool is not None and self.code is None


@dataclass(frozen=True, slots=True)
class _List:
    """One ranking of what was decided, and the offer that its best product is of."""

    leader: _Decided
    items: Sequence[tuple[OfferItem, str]]


@dataclass(frozen=True, slots=True)
class _Step:
    """What an effect asks for; `owners` are all who came to it."""

    connection: Connection
    scene: Scene
    effect: DecideOffer
    owners: Sequence[Enrolment]
    records: bool


def decide_step_offers(
    connection: Connection,
    scene: Scene,
    wanted: Iterable[tuple[Enrolment, DecideOffer]],
    *,
    records: bool = True,
) -> dict[int, dict[str, Any]]:
    """What each enrolment was offered: by its id and the step, the value that later steps and templates read.

    Without `records` nothing is written, no code is drawn, and nothing counts that was decided for the same cause
    before.
    """
    waiting: dict[DecideOffer, list[Enrolment]] = defaultdict(list)
    for owner, effect in wanted:
        waiting[effect].append(owner)
    results: dict[int, dict[str, Any]] = defaultdict(dict)
    for effect, owners in waiting.items():
        step = _Step(connection, scene, effect, owners, records)
        first = _best(step, effect.offers, owners)
        without = [owner for owner in owners if owner.id not in first]
        fallback = (effect.fallback,) if effect.fallback else ()
        # Whoever has something gets the code of the fallback only when that takes its place.
        spare = _best(step, fallback, without) | _spare(step, fallback, [one for one in owners if one.id in first])
        for owner in owners:
            results[owner.id][effect.step] = _frozen(effect, first.get(owner.id), spare.get(owner.id))
    return results


def _best(step: _Step, offers: Sequence[str], owners: Sequence[Enrolment]) -> dict[int, _List]:
    """The ranking that each enrolment gets, with the code of its leading offer; nobody whose pools are empty."""
    best: dict[int, _List] = {}
    if step.effect.strategy is Strategy.FIRST:
        for slug in offers:
            asked = [one for one in owners if one.id not in best]
            decided = {number: [one] for number, one in _decide(step, slug, asked).items()}
            best |= _lead(step, asked, decided)
        return best
    every: dict[int, list[_Decided]] = defaultdict(list)
    for slug in offers:
        for number, one in _decide(step, slug, owners).items():
            every[number].append(one)
    return _lead(step, owners, every)


def _lead(step: _Step, owners: Sequence[Enrolment], decided: Mapping[int, Sequence[_Decided]]) -> dict[int, _List]:
    """One list of what was decided; an offer that would lead it and has no code (left) is out."""
    best: dict[int, _List] = {}
    left = {number: list(some) for number, some in decided.items() if some}
    while left:
        lists = {number: _ranking(some) for number, some in left.items()}
        asking = [one for one in owners if one.id in lists and lists[one.id].leader.lacks_code]
        drawn = draw_for(
            step.connection,
            step.scene,
            [(one, lists[one.id].leader.offer) for one in asking],
            records=step.records,
        )
        for number, found in lists.items():
            if not found.leader.lacks_code:
                best[number] = found
            elif number in drawn:
                code, ends_at = drawn[number]
                leader = _Decided(found.leader.offer, found.leader.decision, code, ends_at)
                best[number] = _List(leader, found.items)
        left = {
            number: some
            for number, found in lists.items()
            if number not in best and (some := [one for one in left[number] if one is not found.leader])
        }
    return best


def _spare(step: _Step, offers: Sequence[str], owners: Sequence[Enrolment]) -> dict[int, _List]:
    """Rankings in reserve, for which no code is drawn yet."""
    return {number: _ranking([one]) for slug in offers for number, one in _decide(step, slug, owners).items()}


def _decide(step: _Step, slug: str, owners: Sequence[Enrolment]) -> dict[int, _Decided]:
    """What the enrolments get of one offer: those who get anything."""
    if not owners:
        return {}
    try:
        offer = get_offer(step.connection, slug)
    except PostilionError as error:
        _log.warning("the offer %s was left out: %s", slug, error)
        return {}
    skus = {owner.profile_id: found for owner in owners if (found := skus_of_entry(owner.entry))}
    decisions = decide_offers(
        step.connection,
        offer,
        [owner.profile_id for owner in owners],
        surface="email",
        key=step.effect.key,
        now=step.scene.now,
        entry_skus=skus,
        ranked=_RANKED,
        vault=step.scene.vault,
        records=step.records,
    )
    return {
        owner.id: _Decided(offer, decision, decision.code, decision.code_ends_at)
        for owner in owners
        if (decision := decisions[owner.profile_id]).items
    }


def _ranking(decided: Sequence[_Decided]) -> _List:
    """One list of what was decided: of several offers the best by score x priority first, each in its own order."""
    lists = [
        [(-item.score * one.offer.priority, place, number, item) for number, item in enumerate(one.decision.items)]
        for place, one in enumerate(decided)
    ]
    rising = [[(max(entry[0] for entry in some[: at + 1]), *entry[1:]) for at, entry in enumerate(some)]
              for some in lists]  # fmt: skip
    ranked = {entry[3].sku: entry for entry in reversed(list(merge(*rising, key=lambda entry: entry[:3])))}
    best = sorted(ranked.values(), key=lambda entry: entry[:3])
    return _List(decided[best[0][1]], [(item, decided[place].offer.slug) for _, place, _, item in best])


def _document(effect: DecideOffer, ranked: _List) -> dict[str, Any]:
    leader = ranked.leader
    return {
        "offer": leader.offer.slug,
        "decision_id": leader.decision.id,
        "model": leader.decision.rule_set_id,
        "count": effect.count or leader.offer.recommend.count,
        "code": leader.code,
        "code_ends_at": leader.code_ends_at.isoformat() if leader.code_ends_at is not None else None,
        "ranking": [{**structs.asdict(item), "offer": slug} for item, slug in ranked.items],
    }


def _frozen(effect: DecideOffer, first: _List | None, fallback: _List | None) -> dict[str, Any]:
    """The value of the step: its `items` are the first of the ranking, or those of the fallback where there is none."""
    shown, spare = (first, fallback) if first is not None else (fallback, None)
    if shown is None:
        named = (*effect.offers, effect.fallback)[0]
        nothing: dict[str, Any] = {"code": None, "code_ends_at": None, "count": 0, "ranking": []}
        return {"items": [], "offer": named, "decision_id": None, **nothing}
    document = _document(effect, shown)
    kept = {"fallback": _document(effect, spare)} if spare is not None else {}
    return {**document, "items": document["ranking"][: document["count"]], **kept}
