"""The model card as Markdown, for the page of a run and for whoever asks what the scores are worth."""

from __future__ import annotations

from collections.abc import Iterator

from insights.judging import Judgement
from insights.learning import Holdout, State
from insights.model_card import ModelCard
from insights.purchases import LeftOut, date_of
from insights.wording import count, day, money, percent

VERDICTS = {
    State.READY: "The models passed their check, and scores are kept.",
    State.NOT_ENOUGH: "There is not enough data yet; only recency, frequency and money are kept.",
    State.WITHHELD: "The models failed their check: what they say of the future is withheld.",
    State.NO_ORDERS: "There are no orders to learn from.",
}


def as_markdown(card: ModelCard) -> str:
    """The whole card."""
    parts = [
        f"# Model card: customers of {card.workspace}",
        f"Made on {day(card.made_at)}. {VERDICTS[card.state]}",
        *card.reasons,
        "## Data",
        "\n".join(f"- {line}" for line in data_lines(card)),
        "## Models",
        "\n".join(f"- {line}" for line in fit_lines(card)),
        "## On days the models had not seen",
        *check_lines(card.holdout),
        *_calibration(card.judgement),
        "## People who never bought",
        *lead_lines(card),
    ]
    if card.scores:
        rows = [f"| `{one.name}` | {one.words} | {one.count:,} | {one.mean:,.2f} |" for one in card.scores]
        table = "\n".join(["| score | what it says | people | mean |", "| --- | --- | ---: | ---: |", *rows])
        parts += ["## Scores", table]
    limits = "\n".join(f"- {line}" for line in card.limits)
    return "\n\n".join([*parts, "## What they cannot tell", limits]) + "\n"


def data_lines(card: ModelCard) -> list[str]:
    """What was read, and what was left out."""
    data = card.data
    if data.first_day is None:
        return ["No orders of known customers.", *left_out_lines(data.left_out)]
    return [
        f"{day(data.first_day)} to {day(data.last_day)}",
        f"{count(data.customer_count, 'customer')}, {data.repeat_count:,} of them bought on several days",
        f"{count(data.purchase_count, 'purchase')} of {money(data.money, data.currency)}, returns taken off",
        "orders of one customer on one day are one purchase",
        *left_out_lines(data.left_out),
    ]


def left_out_lines(left_out: LeftOut) -> list[str]:
    """Why rows do not count; reasons without a row are not named."""
    currencies = [
        f"left out: {count(number, 'order')} in {currency}, which is not the workspace's currency"
        for currency, number in sorted(left_out.other_currencies.items())
    ]
    others = [
        (left_out.without_money, "order", "of zero or less"),
        (left_out.in_the_future, "order", "with a date in the future"),
        (left_out.returned_more, "return", "of more than had been bought"),
        (left_out.of_nobody, "order", "of nobody known"),
    ]
    lines = [f"left out: {count(number, noun)} {why}" for number, noun, why in others if number]
    if left_out.people:
        lines.append(
            f"left out: {count(left_out.people, 'person', 'people')} who objected, or whose data may not be used"
        )
    return currencies + lines


def fit_lines(card: ModelCard) -> list[str]:
    """The parameters."""
    fit = card.fit
    if fit.bg_nbd is None:
        return ["None could be fitted."]
    how = fit.bg_nbd
    lines = [
        f"Purchases, BG/NBD in weeks: r {how.r:.3f}, alpha {how.alpha:.3f}, a {how.a:.3f}, b {how.b:.3f}",
        f"its log-likelihood: {fit.log_likelihood:,.1f}, over {count(fit.row_count, 'distinct row')}",
    ]
    if fit.gamma_gamma is not None:
        spend = fit.gamma_gamma
        lines.append(
            f"Money, Gamma-Gamma over {count(fit.spenders, 'repeat customer')}: p {spend.p:.2f}, q {spend.q:.2f}, "
            f"v {money(spend.v, card.data.currency)}"
        )
    worth = card.worth
    lines.append(f"Value: a margin of {percent(worth.margin)}, discounted by {percent(worth.yearly_discount)} a year")
    return lines


def check_lines(holdout: Holdout | None) -> list[str]:
    """How the models did on what they had not seen."""
    if holdout is None:
        return ["Nothing could be held out yet."]
    asked = (
        f"Fitted on what was before {day(date_of(holdout.first_day))} and asked about the {count(holdout.days, 'day')} "
        f"from then on: of {count(holdout.customer_count, 'customer')} {holdout.expected_purchases:,.0f} purchases "
        f"were expected, and {holdout.actual_purchases:,} came."
    )
    return [asked] if holdout.judgement is None else [asked, judged(holdout.judgement, "who would come back")]


def judged(judgement: Judgement, what: str) -> str:
    """The judgement in a sentence."""
    return (
        f"It told {what} with an AUC of {judgement.auc:.3f} ({judgement.auc_low:.3f} to {judgement.auc_high:.3f}; "
        f"a coin has 0.5) and a Brier score of {judgement.brier:.3f} (naming everybody the same share has "
        f"{judgement.brier_of_share:.3f})."
    )


def lead_lines(card: ModelCard) -> list[str]:
    lead = card.lead
    if lead is None:
        return ["Not looked at."]
    learned = (
        f"{count(lead.lead_count, 'person', 'people')}; learned from {lead.learned_from:,}, of whom "
        f"{lead.first_purchases:,} bought for the first time within 30 days. {lead.reason}"
    )
    return (
        [learned] if lead.judgement is None else [learned, judged(lead.judgement, "who would buy for the first time")]
    )


def _calibration(judgement: Judgement | None) -> Iterator[str]:
    if judgement is None:
        return
    rows = [f"| {percent(one.predicted)} | {percent(one.actual)} | {one.count:,} |" for one in judgement.bins]
    yield "\n".join(["| expected to come back | came back | people |", "| ---: | ---: | ---: |", *rows])
