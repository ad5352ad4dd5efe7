"""From the models to one number a customer under each name. Rounded to what the models can tell, so that a number that
only trembled is the same number and touches nobody. No database here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from insights.bg_nbd import alive_probability, expected_purchases
from insights.churn import churn_probability, median_wait
from insights.gamma_gamma import expected_spend
from insights.learning import HORIZON_DAYS, Learned
from insights.lifetime import Worth, discounted_purchases
from insights.population import Customers
from insights.rfm import score_rfm

Floats = NDArray[np.float64]

_LONGEST_DAYS = 3650

ALIVE, CHURN, PURCHASES = "alive", f"churn_{HORIZON_DAYS}d", f"purchases_{HORIZON_DAYS}d"
NEXT_PURCHASE, VALUE = "next_purchase_days", "value_365d"
RFM = ("rfm_recency", "rfm_frequency", "rfm_money")

NAMES: Mapping[str, str] = {
    RFM[0]: "1 to 5: the fifth that bought last is 5",
    RFM[1]: "1 to 5: the fifth that bought most often is 5",
    RFM[2]: "1 to 5: the fifth that spent most is 5",
    ALIVE: "the chance that somebody is still a customer at all; 1 for who bought once, so select by churn instead",
    CHURN: f"the chance of no purchase in the next {HORIZON_DAYS} days",
    PURCHASES: f"how many purchases are expected in the next {HORIZON_DAYS} days",
    NEXT_PURCHASE: "days from the score's date until half of such people have bought again, if they still buy",
    VALUE: "what the next 365 days are expected to bring, in minor units",
}


def score_rfm_of(customers: Customers) -> dict[str, Floats]:
    """The fifths, which need no model; nothing of nobody."""
    if not len(customers):
        return {}
    rfm = score_rfm(customers)
    return dict(zip(RFM, (part.astype(np.float64) for part in (rfm.recency, rfm.frequency, rfm.money)), strict=True))


def score_customers(customers: Customers, learned: Learned, worth: Worth) -> dict[str, Floats]:
    """What the models say of each customer, reckoned once for all that are alike; nothing without a model."""
    if learned.bg_nbd is None or learned.alike is None:
        return {}
    model, rows, place = learned.bg_nbd.model, learned.alike.rows, learned.alike.place
    past = (rows.frequency, rows.recency, rows.age)
    found = {
        ALIVE: np.round(alive_probability(model, *past), 3)[place],
        CHURN: np.round(churn_probability(model, HORIZON_DAYS / 7, *past), 3)[place],
        PURCHASES: np.round(expected_purchases(model, HORIZON_DAYS / 7, *past), 2)[place],
        NEXT_PURCHASE: np.minimum(np.rint(7 * median_wait(model, rows.frequency, rows.age)), _LONGEST_DAYS)[place],
    }
    if learned.gamma_gamma is not None:
        coming = discounted_purchases(model, worth, *past)[place]
        spend = expected_spend(learned.gamma_gamma.model, customers.frequency.astype(np.float64), customers.spend)
        found[VALUE] = np.rint(worth.margin * coming * spend)
    return found
