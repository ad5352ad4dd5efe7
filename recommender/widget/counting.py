"""What counts of what pages report: anybody can post it, so only products that the decision really holds. Pure.

Each product counts once for a person, however often the page is opened. An answer that many are given counts once for
each view of it as a whole, and its clicks by product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from recommender.decisions import StoredDecision
from recommender.impressions import ImpressionKind, NewImpression


def counted(told: Sequence[NewImpression], decisions: Mapping[str, StoredDecision]) -> list[NewImpression]:
    """`told` as it is to be recorded; `decisions` are those that exist, by id."""
    held = {number: {item.sku for item in one.items} for number, one in decisions.items()}
    real = [one for one in told if one.sku in held.get(one.decision_id, ())]
    return [_of_a_view(one) if decisions[one.decision_id].profile_id is None else replace(one, view="") for one in real]


def _of_a_view(one: NewImpression) -> NewImpression:
    """A page of six products would write six rows for no reader; the decision says which they were."""
    return replace(one, sku=None) if one.kind is ImpressionKind.SHOWN else one
