"""Who never bought is scored by what they did, when enough like them have bought since."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Connection

from insights.lead_features import FEATURES, Leads, gather_leads
from insights.lead_score import HORIZON, LEAST_POSITIVES, fit_leads
from tests.insights.buyers import DAY, NOW, add_event, add_orders, add_people, order

ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4


def drawn(count: int, seed: int) -> Leads:
    """People of whom those with many visits buy."""
    chance = np.random.default_rng(seed)
    values = chance.gamma(1.0, 1.0, (count, len(FEATURES)))
    odds = -3.5 + 1.2 * values[:, 0] - 0.8 * values[:, 7]
    return Leads(np.arange(count), values, chance.random(count) < 1 / (1 + np.exp(-odds)))


def test_the_planted_reasons_come_out_when_enough_people_bought() -> None:
    fit = fit_leads(drawn(8000, 1), drawn(8000, 2), 100)
    assert fit.model is not None
    assert fit.judgement is not None
    assert fit.judgement.auc > 0.75
    assert all(abs(one.predicted - one.actual) < 0.05 for one in fit.judgement.bins)
    later = drawn(8000, 3)
    assert fit.model.probability(later.values).mean() == pytest.approx(later.bought.mean(), rel=0.15)
    keen = np.ones(len(FEATURES))
    keen[0] = 5.0
    assert fit.model.reasons(keen)[0][0] == "days with a visit"
    assert fit == fit_leads(drawn(8000, 1), drawn(8000, 2), 100)


def test_it_is_withheld_when_what_people_did_says_nothing() -> None:
    def noise(seed: int) -> Leads:
        leads = drawn(3000, seed)
        return Leads(leads.ids, leads.values, np.random.default_rng(seed + 50).random(3000) < 0.1)

    fit = fit_leads(noise(1), noise(2), 10)
    assert fit.model is None
    assert fit.reason.startswith("Withheld")


def test_it_says_so_when_there_are_too_few_first_purchases() -> None:
    few = drawn(30, 1)
    fit = fit_leads(few, drawn(8000, 2), 10)
    assert fit.model is None
    assert f"it takes {LEAST_POSITIVES} in each" in fit.reason


def test_only_what_had_happened_counts_when_a_past_day_is_asked_about(connection: Connection) -> None:
    add_people(connection, ALICE, 1, has_email=True)
    add_people(connection, BOB, 1)
    add_people(connection, CAROL, 1, objected_at=NOW)
    add_people(connection, DAVE, 1, created_at=NOW - DAY)  # imported yesterday, but seen long before
    for days in (40, 39, 3):
        add_event(connection, ALICE, "product_viewed", NOW - days * DAY)
        add_event(connection, ALICE, "product_viewed", NOW - days * DAY)
    add_event(connection, ALICE, "message_opened", NOW - 38 * DAY, is_human=True)
    add_event(connection, ALICE, "message_opened", NOW - 37 * DAY, is_human=False)
    add_event(connection, CAROL, "page_viewed", NOW - 40 * DAY)
    add_event(connection, DAVE, "page_viewed", NOW - 45 * DAY)
    add_orders(connection, [order(ALICE, NOW - 10 * DAY), order(BOB, NOW - 50 * DAY)])
    cuts = [NOW - 30 * DAY, NOW]
    found = gather_leads(connection, cuts, HORIZON, NOW)
    past, today = found[cuts[0]], found[NOW]
    assert past.ids.tolist() == [ALICE, DAVE]  # Bob had bought by then, Carol objected
    assert past.bought.tolist() == [True, False]
    seen = dict(zip(FEATURES, np.expm1(past.values[0]).round(3).tolist(), strict=True))
    assert seen["days with a visit"] == 2
    assert seen["days with a visit in the last week"] == 0
    assert seen["products looked at"] == 4
    assert seen["mails opened"] == 1
    assert seen["has an e-mail address"] == 1
    assert seen["days since the last sign of life"] == 8  # what a machine did is none
    assert today.ids.tolist() == [DAVE]
    assert gather_leads(connection, [NOW], HORIZON, NOW, only=ALICE)[NOW].ids.tolist() == []
