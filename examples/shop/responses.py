"""How each person would answer a mail: seeded chances, written to the truth and to nothing that a campaign can read.

The planted lift is the difference between `buy` and `buy_offer`: a person who clicks an offer buys far more often than
the same person left alone. Chances vary from person to person around those of the persona.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from examples.shop.people import Person
from examples.shop.rhythms import Rhythms
from examples.shop.truth import Churner, Lift, Persona, Response

# persona -> chance that the person opens, clicks an opened mail, clicks an opened mail that has offers
_HABITS: Final[dict[Persona, tuple[float, float, float]]] = {
    Persona.READER: (0.52, 0.16, 0.34),
    Persona.GMAIL: (0.46, 0.14, 0.32),
    Persona.APPLE_MPP: (0.44, 0.14, 0.30),
    Persona.SCANNER: (0.38, 0.10, 0.24),
    Persona.SILENT: (0.04, 0.05, 0.08),
}
_BUY_AFTER_OFFER: Final = 0.38


def responses(seed: int, persons: list[Person], rhythms: Rhythms, churned: list[Churner]) -> dict[str, Response]:
    """One answer sheet a person, by external id; all chances lie in [0, 1]."""
    rng = np.random.default_rng((seed, 5))
    gone = {churner.external_id for churner in churned}
    spread = rng.uniform(0.7, 1.3, (len(persons), 4))
    sheet: dict[str, Response] = {}
    for index, person in enumerate(persons):
        opens, click, click_offer = _HABITS[person.persona]
        a, b, c, d = (float(value) for value in spread[index])
        # A week's share of the person's own gap; somebody who never bought or who left seldom comes by chance.
        stays = bool(rhythms.buys[index]) and person.external_id not in gone
        buy = min(7 / float(rhythms.gap_days[index]), 0.30) * 0.5 if stays else 0.004
        sheet[person.external_id] = Response(
            persona=person.persona,
            open=round(opens * a, 4),
            click=round(click * b, 4),
            click_offer=round(click_offer * c, 4),
            buy=round(buy, 4),
            buy_offer=round(max(_BUY_AFTER_OFFER * d, buy), 4),
        )
    return sheet


def planted_lift(persons: list[Person], sheet: dict[str, Response]) -> Lift:
    """What a campaign with offers to everybody who granted consent should show against its holdout."""
    asked = [
        sheet[person.external_id]
        for person in persons
        if person.consent_email == "granted" and not person.email.startswith("bounce+")
    ]
    count = max(len(asked), 1)
    return Lift(
        people=len(asked),
        buy_without_mail=round(sum(answer.buy for answer in asked) / count, 5),
        buy_with_offers=round(sum(answer.expected_buy() for answer in asked) / count, 5),
    )
