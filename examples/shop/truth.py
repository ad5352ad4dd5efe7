"""What the generator planted, so that a result can be checked against what is really in the data.

This is the answer sheet of `generate.py`: rules, people who stopped buying, how each person answers a mail, and how
many rows are wrong on purpose. Nothing that runs a campaign may read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

FILE_NAME = "truth.json"


class Persona(StrEnum):
    """How mail reaches a person, and what machines do with it on the way."""

    READER = "reader"  # a mail program that fetches only what its reader looks at
    GMAIL = "gmail"  # images pass through the provider's proxy
    APPLE_MPP = "apple_mpp"  # every image is fetched in advance, read or not
    SCANNER = "scanner"  # a gateway follows every link before the mail is delivered
    SILENT = "silent"  # hardly ever opens anything


@dataclass(frozen=True, slots=True)
class PlantedRule:
    """Who takes `antecedent` also takes `consequent` (stock keeping units) with chance `planted_confidence`.

    The other figures are counted over the baskets of the clean order lines, so a miner has to find exactly these.
    """

    antecedent: str
    consequent: str
    planted_confidence: float
    basket_count: int
    support: float
    confidence: float
    lift: float


@dataclass(frozen=True, slots=True)
class Staple:
    """A product that some people always have: planted to last them about `lasts_days`.

    `repurchases` and `median_days` are counted over all clean order lines: purchases by one person at least a day after
    their last, and the days between the two.
    """

    sku: str
    lasts_days: int
    repurchases: int
    median_days: float | None


@dataclass(frozen=True, slots=True)
class Churner:
    """A regular customer whose orders end; `silent_days` run from the last order to the `now` of the data."""

    external_id: str
    last_order_at: str
    typical_gap_days: float
    silent_days: float


@dataclass(frozen=True, slots=True)
class Response:
    """The chances with which one simulated person answers one mail.

    `open` is the chance that the person (not a machine) opens; `click` and `click_offer` are chances given an open,
    without and with offers in the mail; `buy` is the chance of an order within seven days whatever happens,
    `buy_offer` replaces it for a person who clicked an offer.
    """

    persona: Persona
    open: float
    click: float
    click_offer: float
    buy: float
    buy_offer: float

    def expected_buy(self) -> float:
        """The chance of an order within seven days for this person when a mail with offers is delivered."""
        return self.buy + self.open * self.click_offer * (self.buy_offer - self.buy)


@dataclass(frozen=True, slots=True)
class Lift:
    """Chance of an order within seven days, averaged over everybody who granted consent to e-mail."""

    people: int
    buy_without_mail: float
    buy_with_offers: float


@dataclass(frozen=True, slots=True)
class Truth:
    """All that was planted. Wrong rows are extra rows: every other row of every file is valid.

    `rows` counts data rows by file, wrong ones included; `dirt` counts the wrong ones by file and reason, and
    `dirt_lines` gives their line numbers (the header is line 1). People are named by `external_id`.
    """

    seed: int
    now: str
    currency: str
    rows: dict[str, int]
    rules: list[PlantedRule]
    staples: list[Staple]
    churners: list[Churner]
    responses: dict[str, Response]
    bounces: list[str]
    complaints: list[str]
    out_of_office: list[str]
    lift: Lift
    anonymous_orders: int
    returned_lines: int
    dirt: dict[str, dict[str, int]]
    dirt_lines: dict[str, dict[str, list[int]]]


def write_truth(truth: Truth, folder: Path) -> None:
    encoded = msgspec.json.format(msgspec.json.encode(truth), indent=1)
    (folder / FILE_NAME).write_bytes(encoded + b"\n")


def read_truth(folder: Path) -> Truth:
    """The truth of a folder that `generate` filled. Raises FileNotFoundError where there is none."""
    return msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Truth)
