"""Counts from the send ledger, the audience, engagement and conversions: a handful of grouped queries a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select
from sqlalchemy.sql.visitors import replacement_traverse

from campaigns.reporting.figures import Funnel
from campaigns.tables import audience_member, launch
from delivery.tables import MessageStatus, message
from tracking.classify import HUMAN
from tracking.open_counts import ORIGIN_COLUMNS, count_opens
from tracking.returned_orders import RETURNED
from tracking.tables import conversion, engagement_event

Key = str | None
Condition = ColumnElement[bool]

_NEVER_SENT = {MessageStatus.FAILED, MessageStatus.SKIPPED, MessageStatus.CANCELLED}
_NO_REASON = "other"
# Of the mails before there was a choice nothing is noted: their picture named them.
_MEASURED_AT = case(
    (
        and_(message.c.channel == "email", func.coalesce(message.c.opens, "individual") == "individual"),
        message.c.delivered_at,
    )
)
BY_PEOPLE = engagement_event.c.human_probability >= HUMAN


@dataclass(slots=True)
class _Count:
    """A funnel in the making."""

    numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    not_sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def finished(self) -> Funnel:
        numbers: dict[str, Any] = dict(self.numbers)
        return replace(Funnel(not_sent=dict(sorted(self.not_sent.items(), key=_by_count))), **numbers)


def count_messages(
    connection: Connection, where: Condition, by: ColumnElement[Any], currency: str
) -> dict[Key, Funnel]:
    """The funnel of the messages that fit `where`, for each value of the column `by` of the ledger."""
    counts: dict[Key, _Count] = defaultdict(_Count)
    _add_statuses(connection, counts, where, by)
    _add_engagement(connection, counts, where, by)
    _add_pictures(connection, counts, where, by)
    _add_conversions(connection, counts, where, by, currency)
    return {key: count.finished() for key, count in counts.items()}


def count_without_message(connection: Connection, where: Condition, by: ColumnElement[Any]) -> dict[Key, Funnel]:
    """The members of audiences that got no message: held out, or left out for a reason, for each value of `by`."""
    query = (
        select(by, audience_member.c.is_holdout, audience_member.c.reason, func.count())
        .join(launch, launch.c.id == audience_member.c.launch_id)
        .where(where, audience_member.c.message_id.is_(None))
        .group_by(by, audience_member.c.is_holdout, audience_member.c.reason)
    )
    counts: dict[Key, _Count] = defaultdict(_Count)
    for key, is_holdout, reason, number in connection.execute(query):
        if is_holdout:
            counts[key].numbers["held_out"] += number
        else:
            counts[key].not_sent[reason or _NO_REASON] += number
    return {key: count.finished() for key, count in counts.items()}


def merge(*funnels: Funnel) -> Funnel:
    """The sum of several funnels over different people or messages."""
    total = _Count()
    for funnel in funnels:
        for name in _NUMBERS:
            total.numbers[name] += getattr(funnel, name)
        for reason, number in funnel.not_sent.items():
            total.not_sent[reason] += number
    return total.finished()


_NUMBERS = (
    "held_out", "sent", "unknown", "waiting", "in_progress", "delivered", "bounced", "complained", "opened_by_people",
    "opened_by_machines", "clicked_by_people", "clicked_by_machines", "opens_measured", "pictures_by_people",
    "pictures_by_machines", "unsubscribed", "order_count", "revenue",
)  # fmt: skip


def _add_statuses(
    connection: Connection, counts: Mapping[Key, _Count], where: Condition, by: ColumnElement[Any]
) -> None:
    instants = (message.c.delivered_at, message.c.bounced_at, message.c.complained_at, _MEASURED_AT)
    query = (
        select(by, message.c.status, message.c.reason, func.count(), *map(func.count, instants))
        .where(where)
        .group_by(by, message.c.status, message.c.reason)
    )
    for key, status, reason, number, delivered, bounced, complained, measured in connection.execute(query):
        count = counts[key]
        if status in _NEVER_SENT:
            count.not_sent[reason or _NO_REASON] += number
        else:
            count.numbers[_state(status, reason)] += number
        count.numbers["delivered"] += delivered
        count.numbers["bounced"] += bounced
        count.numbers["complained"] += complained
        count.numbers["opens_measured"] += measured


def _state(status: str, reason: str | None) -> str:
    if status == MessageStatus.SENT:
        return "sent"
    if status == MessageStatus.UNKNOWN:
        return "unknown"
    return "waiting" if status == MessageStatus.DUE and reason else "in_progress"


def _add_engagement(
    connection: Connection, counts: Mapping[Key, _Count], where: Condition, by: ColumnElement[Any]
) -> None:
    by_whom = case((BY_PEOPLE, "people"), else_="machines")
    query = (
        select(by, engagement_event.c.kind, by_whom, func.count(engagement_event.c.message_id.distinct()))
        .join(message, message.c.id == engagement_event.c.message_id)
        .where(where)
        .group_by(by, engagement_event.c.kind, by_whom)
    )
    for key, kind, whom, number in connection.execute(query):
        name = "unsubscribed" if kind == "unsubscribed" else f"{kind}_by_{whom}"
        if name in _NUMBERS:
            counts[key].numbers[name] += number


def _add_pictures(
    connection: Connection, counts: Mapping[Key, _Count], where: Condition, by: ColumnElement[Any]
) -> None:
    """The fetches of pictures without a name, by the same condition over the origins that they stand for."""
    for key, found in count_opens(connection, _over_origins(where), _over_origins(by)).items():
        counts[key].numbers["pictures_by_people"] += found.by_people
        counts[key].numbers["pictures_by_machines"] += found.by_machines


def _over_origins(clause: ColumnElement[Any]) -> Any:
    """`clause` over the ledger's columns, over the columns of `open_origin` that hold the same."""

    def replaced(element: Any, **_options: Any) -> Any:
        return ORIGIN_COLUMNS[element.name] if getattr(element, "table", None) is message else None

    return replacement_traverse(clause, {}, replaced)


def _add_conversions(
    connection: Connection, counts: Mapping[Key, _Count], where: Condition, by: ColumnElement[Any], currency: str
) -> None:
    orders = func.count(case((conversion.c.rule != RETURNED, conversion.c.order_id)))
    query = (
        select(by, orders, func.sum(conversion.c.amount))
        .join(message, message.c.id == conversion.c.message_id)
        .where(and_(where, conversion.c.currency == currency))
        .group_by(by)
    )
    for key, number, amount in connection.execute(query):
        counts[key].numbers["order_count"] += number
        counts[key].numbers["revenue"] += int(amount)


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
