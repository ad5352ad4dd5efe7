"""What somebody buys again and again and may need now: the candidates of an offer whose model is `replenishment`.

When a product is due is reckoned by `insights.replenishment`, from the intervals that its last run recorded. What is
bought most often comes first: for what a customer buys next, nothing orders better than their own habit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from core.bulk import among
from customers.tables import OrderKind, customer_order
from insights.replenishment import Due, find_due
from recommender.choice import Candidate, Level

_LEAST_TIMES = 2
_AHEAD = 0.25  # of the interval: whoever drinks the last cup tomorrow orders today ...
_AT_MOST_AHEAD = timedelta(days=7)  # ... and nobody stocks up on what lasts half a year


class Replenishing:
    """For each profile what is due, most often bought first; of equal ones what is due first.

    The score is the share of their orders that hold the product.
    """

    def __init__(self, connection: Connection, profile_ids: Sequence[int], now: datetime) -> None:
        found = find_due(connection, profile_ids, now) if profile_ids else {}
        dues = {number: [due for due in each if _is_due(due, now)] for number, each in found.items()}
        self._dues = {number: some for number, some in dues.items() if some}
        self._orders = _count_orders(connection, list(self._dues), now)

    def skus(self) -> set[str]:
        """Every product that is due for anybody."""
        return {due.sku for dues in self._dues.values() for due in dues}

    def candidates(self, profile_id: int) -> Iterator[Candidate]:
        for due in sorted(self._dues.get(profile_id, ()), key=lambda due: (-due.times, due.due_at, due.sku)):
            yield Candidate(due.sku, Level.REPLENISHMENT, due.times / self._orders[profile_id])


def _is_due(due: Due, now: datetime) -> bool:
    ahead = min(timedelta(days=due.interval_days) * _AHEAD, _AT_MOST_AHEAD)
    return due.times >= _LEAST_TIMES and due.due_at - ahead <= now


def _count_orders(connection: Connection, profile_ids: Sequence[int], now: datetime) -> dict[int, int]:
    if not profile_ids:
        return {}
    order = customer_order.c
    query = (
        select(order.profile_id, func.count())
        .where(among(connection, order.profile_id, profile_ids), order.kind == OrderKind.ORDER, order.placed_at < now)
        .group_by(order.profile_id)
    )
    return dict(connection.execute(query).tuples().all())
