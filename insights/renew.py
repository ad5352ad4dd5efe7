"""The nightly run: read everybody's purchases, learn, check, and keep scores and a model card.

All the reading and reckoning happens without a writing transaction; each score is then written in one of its own, so
that nobody waits for long. What cannot be learned is said on the card and never raised.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from core.errors import InputError
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from insights.affinity import affinities, iter_lines, score_names, shop_shares
from insights.figures import draw_figures
from insights.lead_features import Leads, gather_leads
from insights.lead_score import HORIZON, LEAD, LEAD_WORDS, LeadFit, fit_leads
from insights.learning import Learned, State, holdout_days, learn
from insights.lifetime import Worth
from insights.model_card import LIMITS, Data, Fit, ModelCard, ScoreKept, find_card, record_card
from insights.population import Population, gather
from insights.purchases import LeftOut, count_left_out, date_of, day_of, find_first_day, iter_purchases
from insights.replenishment import Interval, iter_next_due, learn_intervals, record_intervals
from insights.scores import forget_others, forget_score, list_score_names, record_scores
from insights.scoring import NAMES, score_customers, score_rfm_of

Floats = NDArray[np.float64]

REPLENISHMENT = "replenishment_days"
REPLENISHMENT_WORDS = "days until the first product that runs out is due; below zero it is overdue"


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything that a run learned, before a row is written."""

    population: Population
    learned: Learned
    left_out: LeftOut
    lead: LeadFit
    leads: Leads
    intervals: list[Interval]
    shares: dict[str, float]


def renew_insights(runtime: Runtime, worth: Worth | None = None) -> ModelCard:
    """Reckon everything anew; answers the card that was kept. `worth` is that of the run before unless it is given."""
    now = runtime.clock.now()
    if worth is not None:
        check_worth(worth)
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
        before = find_card(connection)
        found = _find(connection, workspace, now)
    chosen = worth or (before.worth if before else Worth())
    kept = _record_all(runtime, found, chosen, now)
    card = replace(_card(workspace, found, chosen, now), scores=kept)
    with runtime.database.transaction() as connection:
        record_intervals(connection, found.intervals, now)
        record_card(connection, card)
    return card


def choose_worth(connection: Connection, margin: float | None, yearly_discount: float | None) -> Worth:
    """What is given, and for the rest what the last run had."""
    before = find_card(connection)
    worth = before.worth if before else Worth()
    return Worth(
        worth.margin if margin is None else margin,
        worth.yearly_discount if yearly_discount is None else yearly_discount,
    )


def check_worth(worth: Worth) -> None:
    """Raises InputError for a margin or discount that means nothing."""
    if not 0 < worth.margin <= 1:
        raise InputError("the margin is a share above 0 and up to 1, such as 0.4.")
    if not 0 <= worth.yearly_discount < 1:
        raise InputError("the yearly discount is a share from 0 and below 1, such as 0.1.")


def _find(connection: Connection, workspace: Workspace, now: datetime) -> _Found:
    zone, left_out = ZoneInfo(workspace.timezone), LeftOut()
    end_day = day_of(now, zone)
    first = find_first_day(connection, zone)
    days = holdout_days(end_day - first) if first is not None else 0
    purchases = iter_purchases(connection, currency=workspace.currency, zone=zone, now=now, left_out=left_out)
    population = gather(purchases, end_day=end_day, earlier_day=end_day - days)
    count_left_out(connection, left_out)
    cuts = [now - 2 * HORIZON, now - HORIZON, now]
    leads = gather_leads(connection, cuts, HORIZON, now)
    fit = fit_leads(leads[cuts[0]], leads[cuts[1]], len(leads[now].ids))
    return _Found(
        population,
        learn(population),
        left_out,
        fit,
        leads[now],
        learn_intervals(connection, now),
        shop_shares(connection, now),
    )


def _record_all(runtime: Runtime, found: _Found, worth: Worth, now: datetime) -> list[ScoreKept]:
    """Write every score; those that could not be reckoned this time and are ours are forgotten."""
    customers = found.population.customers
    columns = score_rfm_of(customers)
    if found.learned.state is State.READY:
        columns |= score_customers(customers, found.learned, worth)
    ids = customers.ids.tolist()
    kept = [
        _record(runtime, name, NAMES[name], zip(ids, column.tolist(), strict=True), now)
        for name, column in columns.items()
    ]
    if found.lead.model is not None:
        chance = np.round(found.lead.model.probability(found.leads.values), 3)
        kept.append(
            _record(runtime, LEAD, LEAD_WORDS, zip(found.leads.ids.tolist(), chance.tolist(), strict=True), now)
        )
    if found.intervals:
        with runtime.database.read() as connection:
            due = list(iter_next_due(connection, found.intervals, now))
        kept.append(_record(runtime, REPLENISHMENT, REPLENISHMENT_WORDS, due, now))
    kept += _record_affinities(runtime, found.shares, now)
    _forget_old(runtime, {one.name for one in kept})
    return kept


def _record_affinities(runtime: Runtime, shares: Mapping[str, float], now: datetime) -> list[ScoreKept]:
    names = score_names(shares)
    owners = {name: array("q") for name in names.values()}
    values = {name: array("d") for name in names.values()}
    with runtime.database.read() as connection:
        for profile_id, lines in iter_lines(connection, now):
            for category, value in affinities(lines, shares).items():
                if category in names:
                    owners[names[category]].append(profile_id)
                    values[names[category]].append(round(value, 2))
    words = "how much more of {} somebody buys than others do: 1 is as much, 2 twice as much"
    return [
        _record(runtime, name, words.format(category), zip(owners[name], values[name], strict=True), now)
        for category, name in names.items()
    ]


def _record(runtime: Runtime, name: str, words: str, values: Iterable[tuple[int, float]], now: datetime) -> ScoreKept:
    count, total = 0, 0.0

    def counted() -> Iterator[tuple[int, float]]:
        nonlocal count, total
        for profile_id, value in values:
            count, total = count + 1, total + value
            yield profile_id, value

    with runtime.database.transaction() as connection:
        record_scores(connection, name, counted(), now)
        forget_others(connection, name, now)
    return ScoreKept(name, words, count, round(total / count, 4) if count else 0.0)


def _forget_old(runtime: Runtime, kept: set[str]) -> None:
    ours = {*NAMES, LEAD, REPLENISHMENT}
    with runtime.database.transaction() as connection:
        for name in list_score_names(connection):
            if name not in kept and (name in ours or name.startswith("affinity_")):
                forget_score(connection, name)


def _card(workspace: Workspace, found: _Found, worth: Worth, now: datetime) -> ModelCard:
    customers, learned = found.population.customers, found.learned
    fit = learned.bg_nbd, learned.gamma_gamma
    return ModelCard(
        now,
        workspace.name,
        learned.state,
        learned.reasons,
        Data(
            date_of(int(customers.first_day.min())) if len(customers) else None,
            date_of(customers.end_day),
            len(customers),
            int((customers.frequency > 0).sum()),
            int(customers.frequency.sum()) + len(customers),
            float(customers.money.sum()),
            workspace.currency,
            found.left_out,
        ),
        worth,
        Fit(
            fit[0].model if fit[0] else None,
            fit[0].log_likelihood if fit[0] else None,
            fit[0].row_count if fit[0] else 0,
            fit[1].model if fit[1] else None,
            fit[1].customer_count if fit[1] else 0,
        ),
        learned.holdout,
        found.lead,
        found.intervals,
        found.shares,
        draw_figures(found.population),
        [],
        LIMITS,
    )
