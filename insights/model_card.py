"""The model card: what was learned, from which data, how well it did on days it had not seen, and what it cannot tell.

One is kept with each run; it holds counts and parameters and nobody's data. Whoever asks for a person's scores reads
the models from the newest.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date, datetime

import msgspec
from sqlalchemy import Connection, delete, insert, select

from insights.bg_nbd import BgNbd
from insights.figures import Figures
from insights.gamma_gamma import GammaGamma
from insights.judging import Judgement
from insights.lead_score import LeadFit
from insights.learning import Holdout, State
from insights.lifetime import Worth
from insights.purchases import LeftOut
from insights.replenishment import Interval
from insights.tables import model_card

log = logging.getLogger(__name__)

_KEPT = 60


@dataclass(frozen=True, slots=True)
class Data:
    """What was read. `money` is in minor units of `currency`, returns taken off."""

    first_day: date | None
    last_day: date
    customer_count: int
    repeat_count: int
    purchase_count: int
    money: float
    currency: str
    left_out: LeftOut


@dataclass(frozen=True, slots=True)
class Fit:
    """Parameters as they were found; None where the data did not allow it."""

    bg_nbd: BgNbd | None = None
    log_likelihood: float | None = None
    row_count: int = 0
    gamma_gamma: GammaGamma | None = None
    spenders: int = 0


@dataclass(frozen=True, slots=True)
class ScoreKept:
    """How many people have the score; `mean` of them."""

    name: str
    words: str
    count: int
    mean: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """`made_at` is in UTC; `limits` are sentences for whoever uses the scores."""

    made_at: datetime
    workspace: str
    state: State
    reasons: list[str]
    data: Data
    worth: Worth
    fit: Fit
    holdout: Holdout | None
    lead: LeadFit | None
    intervals: list[Interval] = field(default_factory=list)
    category_shares: dict[str, float] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    scores: list[ScoreKept] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    @property
    def judgement(self) -> Judgement | None:
        return None if self.holdout is None else self.holdout.judgement


def record_card(connection: Connection, card: ModelCard) -> None:
    """Keep the card, and let the oldest go."""
    document = msgspec.to_builtins(card, builtin_types=())
    connection.execute(insert(model_card), [{"made_at": card.made_at, "document": document}])
    kept = select(model_card.c.id).order_by(model_card.c.id.desc()).limit(_KEPT).subquery()
    connection.execute(delete(model_card).where(model_card.c.id.not_in(select(kept.c.id))))


def find_card(connection: Connection) -> ModelCard | None:
    """The newest card; None before the first run, and where another version wrote one that cannot be read."""
    document = connection.scalar(select(model_card.c.document).order_by(model_card.c.id.desc()).limit(1))
    try:
        return None if document is None else msgspec.convert(document, ModelCard)
    except msgspec.ValidationError as error:
        log.warning("the model card cannot be read and counts as missing: %s", error)
        return None


LIMITS = [
    "The models know days and amounts of purchases alone, and neither season nor price nor campaign.",
    "After a sale, or before Christmas, they expect what the average week brings.",
    "They suppose that how often people buy and how much they spend have nothing to do with each other.",
    "Whoever bought once is almost unknown: their scores are mostly what is true of everybody.",
    "A chance says how many of a hundred such people will; of one person it decides nothing.",
    "Whoever objected, or whose data is restricted or erased, is neither learned from nor scored.",
]
