"""Offers for a batch of messages: one call of the recommender for each offer and cause, however many people there are.

The cause names a decision for ever, so that a message that is composed again shows the same products: the launch of a
campaign; of a journey the step and the instant at which the message fell due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.clock import to_micros
from core.errors import ConfigError, NotFoundError
from delivery.envelope import MessageRow
from delivery.tables import OriginKind
from recommender.offer_definition import get_offer
from recommender.offers import OfferDecision, decide_offers


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """A message that shows `offer`; `skus` are the products that its journey began with."""

    row: MessageRow
    offer: str
    skus: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class DecidedOffers:
    """Decisions by message and offer, and the offers that could not be read, with the reason."""

    decisions: Mapping[tuple[str, str], OfferDecision]
    broken: Mapping[str, str]


def decide_for_messages(connection: Connection, requests: Sequence[OfferRequest], now: datetime) -> DecidedOffers:
    groups: dict[tuple[str, str, str], list[OfferRequest]] = defaultdict(list)
    for request in requests:
        groups[request.offer, request.row.channel, _cause(request.row)].append(request)
    decisions: dict[tuple[str, str], OfferDecision] = {}
    broken: dict[str, str] = {}
    for (slug, channel, cause), group in groups.items():
        try:
            offer = get_offer(connection, slug)
        except (NotFoundError, ConfigError) as error:
            broken[slug] = str(error)
            continue
        decided = decide_offers(
            connection,
            offer,
            [request.row.profile_id for request in group],
            surface=channel,
            key=f"{channel}|{cause}",
            now=now,
            entry_skus={request.row.profile_id: request.skus for request in group if request.skus},
        )
        for request in group:
            decisions[request.row.id, slug] = decided[request.row.profile_id]
    return DecidedOffers(decisions, broken)


def _cause(row: MessageRow) -> str:
    if row.origin_kind == OriginKind.CAMPAIGN:
        return str(row.origin_id)
    return f"{row.origin}/{row.step}/{to_micros(row.first_due_at)}"
