"""What `offer` steps decide: for everybody who came to the same step, one call of the recommender an offer.

The whole ranking is frozen with the model that made it, and that of the fallback beside it: what is sold out by the
time of sending makes room for the next of the same list.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from heapq import merge
from typing import Any

from sqlalchemy import Connection

from campaigns.message_context import skus_of_entry
from core.errors import PostilionError
from journeys.answers import Scene
from journeys.transition import DecideOffer, Enrolment, Strategy
from recommender.offer_definition import Offer, get_offer
from recommender.offers import OfferDecision, decide_offers

_log = logging.getLogger("postilion.journeys")
_RANKED = 20  # so many products are frozen, where the recommender knows as many


@dataclass(frozen=True, slots=True)
class _Decided:
    offer: Offer
    decision: OfferDecision


def decide_step_offers(
    connection: Connection,
    scene: Scene,
    wanted: Iterable[tuple[Enrolment, DecideOffer]],
    *,
    records: bool = True,
) -> dict[int, dict[str, Any]]:
    """What each enrolment was offered: by its id and the step, the value that later steps and templates read.

    Without `records` nothing is written, and nothing counts that was decided for the same cause before.
    """
    waiting: dict[DecideOffer, list[Enrolment]] = defaultdict(list)
    for owner, effect in wanted:
        waiting[effect].append(owner)
    results: dict[int, dict[str, Any]] = defaultdict(dict)
    for effect, owners in waiting.items():
        spare = (effect.fallback,) if effect.fallback else ()
        decided = _decide_all(connection, scene, effect, effect.offers, owners, records=records)
        fallbacks = _decide_all(connection, scene, effect, spare, owners, records=records)
        for owner in owners:
            first, second = (_ranking(of.get(owner.profile_id, ()), effect) for of in (decided, fallbacks))
            results[owner.id][effect.step] = _frozen(effect, first, second)
    return results


def _decide_all(
    connection: Connection,
    scene: Scene,
    effect: DecideOffer,
    offers: Sequence[str],
    owners: Sequence[Enrolment],
    *,
    records: bool,
) -> dict[int, list[_Decided]]:
    """What each profile gets of `offers`; by the strategy `first` nobody is asked about who has something already."""
    found: dict[int, list[_Decided]] = defaultdict(list)
    for slug in offers:
        asked = [one for one in owners if effect.strategy is Strategy.BEST or one.profile_id not in found]
        for number, decided in _decide(connection, scene, effect, slug, asked, records=records).items():
            found[number].append(decided)
    return found


def _decide(
    connection: Connection, scene: Scene, effect: DecideOffer, slug: str, owners: Sequence[Enrolment], *, records: bool
) -> dict[int, _Decided]:
    if not owners:
        return {}
    try:
        offer = get_offer(connection, slug)
    except PostilionError as error:
        _log.warning("the offer %s was left out: %s", slug, error)
        return {}
    skus = {owner.profile_id: found for owner in owners if (found := skus_of_entry(owner.entry))}
    decisions = decide_offers(
        connection,
        offer,
        [owner.profile_id for owner in owners],
        surface="email",
        key=effect.key,
        now=scene.now,
        entry_skus=skus,
        ranked=_RANKED,
        vault=scene.vault,
        records=records,
    )
    return {number: _Decided(offer, decision) for number, decision in decisions.items() if decision.items}


def _ranking(decided: Sequence[_Decided], effect: DecideOffer) -> Mapping[str, Any] | None:
    """One list of what was decided: of several offers the best by score x priority first, each in its own order."""
    if not decided:
        return None
    lists = [
        [(-item.score * one.offer.priority, place, number, item) for number, item in enumerate(one.decision.items)]
        for place, one in enumerate(decided)
    ]
    rising = [[(max(entry[0] for entry in some[: at + 1]), *entry[1:]) for at, entry in enumerate(some)]
              for some in lists]  # fmt: skip
    ranked = {entry[3].sku: entry for entry in reversed(list(merge(*rising, key=lambda entry: entry[:3])))}
    best = sorted(ranked.values(), key=lambda entry: entry[:3])
    leader = decided[best[0][1]]
    return {
        "offer": leader.offer.slug,
        "decision_id": leader.decision.id,
        "model": leader.decision.rule_set_id,
        "count": effect.count or leader.offer.recommend.count,
        "ranking": [{**asdict(item), "offer": decided[place].offer.slug} for _, place, _, item in best],
    }


def _frozen(effect: DecideOffer, first: Mapping[str, Any] | None, fallback: Mapping[str, Any] | None) -> dict[str, Any]:
    """The value of the step: its `items` are the first of the ranking, or those of the fallback where there is none."""
    shown, spare = (first, fallback) if first is not None else (fallback, None)
    if shown is None:
        named = (*effect.offers, effect.fallback)[0]
        return {"items": [], "offer": named, "decision_id": None, "count": 0, "ranking": []}
    kept = {"fallback": dict(spare)} if spare is not None else {}
    return {**shown, "items": shown["ranking"][: shown["count"]], **kept}
