"""Opens and clicks over time, and the products that were shown and clicked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import BigInteger, Connection, case, func, select, type_coerce

from campaigns.reporting.counts import BY_PEOPLE, Condition
from campaigns.reporting.figures import Activity, Acts, Offered
from core.clock import from_micros
from core.database import batches
from customers.tables import product
from delivery.tables import message
from recommender.tables import offer_decision, offer_impression
from tracking.tables import engagement_event

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_LONGEST_BY_HOUR = timedelta(days=3)
_MOST_STEPS = 120
_MICROSECOND = timedelta(microseconds=1)
_BATCH = 500
_MOST_OFFERED = 12


def read_activity(connection: Connection, where: Condition) -> Activity | None:
    """The acts on the messages that fit `where`, by hour for three days, by day beyond; None while there is none."""
    at = type_coerce(engagement_event.c.occurred_at, BigInteger)
    kinds = engagement_event.c.kind.in_(["opened", "clicked"])
    joined = select(func.min(at), func.max(at)).join(message, message.c.id == engagement_event.c.message_id)
    first, last = connection.execute(joined.where(where, kinds)).one()
    if first is None:
        return None
    step = _HOUR if from_micros(last) - from_micros(first) <= _LONGEST_BY_HOUR else _DAY
    width = step // _MICROSECOND
    place = (at - at % width).label("place")
    whom = case((BY_PEOPLE, "people"), else_="machines")
    query = (
        select(place, engagement_event.c.kind, whom, func.count())
        .join(message, message.c.id == engagement_event.c.message_id)
        .where(where, kinds, at >= last - _MOST_STEPS * width)
        .group_by(place, engagement_event.c.kind, whom)
    )
    acts: dict[int, Acts] = {}
    for begins, kind, by_whom, count in connection.execute(query):
        one = acts.get(begins) or Acts(from_micros(begins))
        acts[begins] = replace(one, **{f"{kind}_by_{by_whom}": count})
    places = range(min(acts), max(acts) + 1, width)
    return Activity(step, tuple(acts.get(begins) or Acts(from_micros(begins)) for begins in places))


def read_offered(connection: Connection, where: Condition) -> tuple[Offered, ...]:
    """The products that stood in the messages that fit `where`, the most shown first, at most a dozen."""
    shown: Counter[str] = Counter()
    items = select(offer_decision.c["items"]).join(message, message.c.decision_id == offer_decision.c.id).where(where)
    for some in connection.execute(items.execution_options(yield_per=1_000)).scalars().partitions(1_000):
        shown.update(item["sku"] for decision in some for item in decision)
    clicked: Counter[str] = Counter(_clicked(connection, where))
    most = [sku for sku, _ in sorted(shown.items(), key=lambda item: (-item[1], item[0]))[:_MOST_OFFERED]]
    names: dict[str, str] = {}
    for group in batches(most, _BATCH):
        rows = connection.execute(select(product.c.sku, product.c.name).where(product.c.sku.in_(group)))
        names |= {row.sku: row.name for row in rows}
    return tuple(Offered(sku, names.get(sku, sku), shown[sku], clicked[sku]) for sku in most)


def _clicked(connection: Connection, where: Condition) -> dict[str, int]:
    query = (
        select(offer_impression.c.sku, func.count())
        .join(message, message.c.decision_id == offer_impression.c.decision_id)
        .where(where, offer_impression.c.kind == "clicked", offer_impression.c.sku.is_not(None))
        .group_by(offer_impression.c.sku)
    )
    return dict(connection.execute(query).tuples().all())
