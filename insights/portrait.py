"""Everything reckoned of one person, in prose, with dates and reasons: for whoever is about to write or to call.

The models are those of the newest card; what the person did is read as it stands now. Of somebody who objected, or
whose data may not be used, it says only that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import Connection, select

from core.errors import NotFoundError
from customers.tables import ProfileStatus, product, profile
from customers.workspace import Workspace
from insights.affinity import affinities, lines_of
from insights.bg_nbd import alive_probability, expected_purchases
from insights.churn import churn_probability, median_wait
from insights.gamma_gamma import expected_spend
from insights.lead_features import gather_leads
from insights.lead_score import HORIZON
from insights.learning import HORIZON_DAYS, State
from insights.lifetime import discounted_purchases, value_range
from insights.model_card import ModelCard, find_card
from insights.population import Customers, summarise
from insights.purchases import LeftOut, date_of, day_of, iter_purchases
from insights.replenishment import find_due
from insights.rfm import group_of
from insights.scores import find_score
from insights.scoring import ALIVE, CHURN, NEXT_PURCHASE, PURCHASES, RFM, VALUE
from insights.wording import count, day, length, money, percent

_LIKES = 1.2  # below that a category is no preference
_MOST = 3


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that is known: `name` is that of the score where it is one, `value` its number now."""

    topic: str
    sentence: str
    name: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Portrait:
    """`as_of` is now, `learned_at` when the models were fitted (None: never)."""

    profile_id: int
    as_of: datetime
    learned_at: datetime | None
    currency: str
    statements: list[Statement]


def portray(connection: Connection, workspace: Workspace, profile_id: int, now: datetime) -> Portrait:
    """What is known of a profile at `now`. Raises NotFoundError where there is no such profile."""
    card = find_card(connection)
    barred = _barred(connection, profile_id)
    if barred is not None:
        return Portrait(profile_id, now, None, workspace.currency, [Statement("standing", barred)])
    zone = ZoneInfo(workspace.timezone)
    found = iter_purchases(
        connection, currency=workspace.currency, zone=zone, now=now, left_out=LeftOut(), only=profile_id
    )
    person = next((summarise(some, day_of(now, zone)) for some in found if len(some.owner)), None)
    if person is None:
        statements = _of_lead(connection, card, profile_id, now)
    else:
        statements = [
            *_of_past(person, workspace.currency),
            *_of_rfm(connection, profile_id),
            *_of_future(person, card, workspace.currency),
            *_of_needs(connection, profile_id, zone, now),
            *_of_taste(connection, card, profile_id, now),
        ]
    return Portrait(profile_id, now, card.made_at if card else None, workspace.currency, statements)


def _barred(connection: Connection, profile_id: int) -> str | None:
    row = connection.execute(
        select(profile.c.status, profile.c.objected_at).where(profile.c.id == profile_id)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no profile #{profile_id}.")
    if row.objected_at is not None and row.status == ProfileStatus.ACTIVE:
        return f"They objected on {day(row.objected_at)}: nothing is reckoned of them."
    if row.status != ProfileStatus.ACTIVE:
        return f"This profile is {row.status}: nothing is reckoned of it."
    return None


def _of_past(person: Customers, currency: str) -> list[Statement]:
    first, last, end = int(person.first_day[0]), int(person.last_day[0]), person.end_day
    bought, total = int(person.frequency[0]) + 1, float(person.money[0])
    ago = "today" if end == last else f"{length(end - last)} ago"
    statements = [Statement("last purchase", f"Last bought on {day(date_of(last))}, {ago}.", value=float(end - last))]
    if bought == 1:
        statements.append(Statement("frequency", "Has bought once so far.", value=1.0))
        statements.append(Statement("money", f"Spent {money(total, currency)}.", value=total))
        return statements
    every = (last - first) / (bought - 1)
    often = f"Has bought on {bought} days since {day(date_of(first))}, every {_every(every)} on average."
    spent = f"Spent {money(total, currency)}, {money(total / bought, currency)} a time."
    return [*statements, Statement("frequency", often, value=float(bought)), Statement("money", spent, value=total)]


def _of_rfm(connection: Connection, profile_id: int) -> list[Statement]:
    scores = [find_score(connection, name, profile_id) for name in RFM]
    recency, frequency, spent = scores
    if recency is None or frequency is None or spent is None:
        return []
    group = group_of(int(recency.value), int(frequency.value))
    sentence = (
        f"Among {group}: {recency.value:.0f} of 5 by the last purchase, {frequency.value:.0f} by how often, "
        f"{spent.value:.0f} by money."
    )
    number = 100 * recency.value + 10 * frequency.value + spent.value
    return [Statement("group", sentence, value=number, as_of=recency.computed_at)]


def _of_future(person: Customers, card: ModelCard | None, currency: str) -> list[Statement]:
    if card is None:
        return [Statement("future", "Nothing was learned yet: run `postilion insights renew`.")]
    if card.state is not State.READY or card.fit.bg_nbd is None:
        return [Statement("future", f"Nothing is said of the future ({card.state.value}). {' '.join(card.reasons)}")]
    model, weeks, at = card.fit.bg_nbd, HORIZON_DAYS / 7, card.made_at
    past = (person.frequency.astype(float), person.recency, person.age)
    alive, churn, buys, wait = (
        float(part[0])
        for part in (
            alive_probability(model, *past),
            churn_probability(model, weeks, *past),
            expected_purchases(model, weeks, *past),
            7 * median_wait(model, past[0], past[2]),
        )
    )
    said = [
        Statement("alive", _alive(person, alive), ALIVE, alive, as_of=at),
        Statement("churn", _churn(person, churn), CHURN, churn, as_of=at),
        Statement("purchases", f"Expected purchases in {HORIZON_DAYS} days: {buys:.2f}.", PURCHASES, buys, as_of=at),
        Statement("next purchase", _next(person, wait, alive), NEXT_PURCHASE, wait, as_of=at),
    ]
    return [*said, *_value(person, card, currency)]


def _alive(person: Customers, alive: float) -> str:
    if not person.frequency[0]:
        return "Whether they are still a customer nobody can tell from one purchase."
    return f"Has not left for good with a chance of {percent(alive)}; churn says more."


def _churn(person: Customers, churn: float) -> str:
    quiet, gap = person.end_day - int(person.last_day[0]), _gap(person)
    sentence = f"With a chance of {percent(churn)} they buy nothing in the next {HORIZON_DAYS} days"
    if gap is None:
        return f"{sentence}: most who buy once do not come back soon."
    if quiet > 2 * gap:
        return f"{sentence}: quiet for {length(quiet)}, where they used to buy every {_every(gap)}."
    return f"{sentence}: they buy every {_every(gap)}, and the last time is {length(quiet)} ago."


def _next(person: Customers, wait: float, alive: float) -> str:
    if wait > 3650:
        return "When they buy again cannot be told."
    expected = date_of(person.end_day + round(wait))
    doubt = "" if alive > 0.5 else ", which is in doubt"
    return f"If they are still a customer{doubt}, half of such people have bought again by {day(expected)}."


def _value(person: Customers, card: ModelCard, currency: str) -> list[Statement]:
    if card.fit.bg_nbd is None or card.fit.gamma_gamma is None:
        return [Statement("value", "No value in money: too few people bought twice to learn what they spend.")]
    past = (person.frequency.astype(float), person.recency, person.age)
    coming = float(discounted_purchases(card.fit.bg_nbd, card.worth, *past)[0])
    value = card.worth.margin * coming * float(expected_spend(card.fit.gamma_gamma, past[0], person.spend)[0])
    spread = value_range(
        card.fit.bg_nbd,
        card.fit.gamma_gamma,
        card.worth,
        frequency=float(past[0][0]),
        recency=float(past[1][0]),
        age=float(past[2][0]),
        spend=float(person.spend[0]),
        seed=int(person.ids[0]),
    )
    what = "revenue" if card.worth.margin == 1 else f"profit at a margin of {percent(card.worth.margin)}"
    sentence = (
        f"Worth {money(value, currency)} of {what} in the next year, in 80 of 100 cases "
        f"{money(spread.low, currency)} to {money(spread.high, currency)}"
    )
    discount = f", discounted by {percent(card.worth.yearly_discount)} a year" if card.worth.yearly_discount else ""
    return [Statement("value", f"{sentence}{discount}.", VALUE, value, spread.low, spread.high, card.made_at)]


def _of_needs(connection: Connection, profile_id: int, zone: ZoneInfo, now: datetime) -> list[Statement]:
    dues = find_due(connection, [profile_id], now)[profile_id][:_MOST]
    names = _names(connection, [due.sku for due in dues])
    statements = []
    for due in dues:
        when = due.due_at.astimezone(zone).date()
        days = (due.due_at - now) / timedelta(days=1)
        tense = "was due" if days < 0 else "is due"
        sentence = (
            f"{names.get(due.sku, due.sku)} {tense} on {day(when)}: it lasts them about {length(due.interval_days)}, "
            f"and they bought it last on {day(due.last_bought_at.astimezone(zone).date())}."
        )
        statements.append(Statement("due", sentence, "replenishment_days", float(np.floor(days)), as_of=now))
    return statements


def _of_taste(connection: Connection, card: ModelCard | None, profile_id: int, now: datetime) -> list[Statement]:
    if card is None:
        return []
    lines = lines_of(connection, profile_id, now)
    liked = [(name, value) for name, value in affinities(lines, card.category_shares).items() if value >= _LIKES]
    return [
        Statement(
            "taste",
            f"Buys {value:.1f} times as much of {category} as others do ({count(lines[category], 'line')}).",
            value=round(value, 2),
            as_of=now,
        )
        for category, value in liked[:_MOST]
    ]


def _of_lead(connection: Connection, card: ModelCard | None, profile_id: int, now: datetime) -> list[Statement]:
    never = Statement("last purchase", "Has not bought yet.")
    if card is None or card.lead is None:
        return [never, Statement("lead", "Nothing was learned yet: run `postilion insights renew`.")]
    if card.lead.model is None:
        return [never, Statement("lead", f"How likely a first purchase is was not learned. {card.lead.reason}")]
    leads = gather_leads(connection, [now], HORIZON, now, only=profile_id)[now]
    if not len(leads.ids):
        return [never]
    values: Any = leads.values[0]
    chance = float(card.lead.model.probability(values[None, :])[0])
    said = [
        f"{name} {'speaks for' if part > 0 else 'speaks against'} it"
        for name, part in card.lead.model.reasons(values)[:2]
    ]
    why = ", ".join(said)
    sentence = f"Buys for the first time in the next {HORIZON.days} days with a chance of {percent(chance)}: {why}."
    return [never, Statement("lead", sentence, "lead_30d", chance, as_of=card.made_at)]


def _gap(person: Customers) -> float | None:
    """Days between purchases on average; None for who bought once."""
    if not person.frequency[0]:
        return None
    return max((int(person.last_day[0]) - int(person.first_day[0])) / int(person.frequency[0]), 1.0)


def _every(days: float) -> str:
    """`day`, `3 weeks` after "every"."""
    said = length(max(days, 1))
    return said.removeprefix("1 ")


def _names(connection: Connection, skus: list[str]) -> dict[str, str]:
    return dict(connection.execute(select(product.c.sku, product.c.name).where(product.c.sku.in_(skus))).tuples().all())
