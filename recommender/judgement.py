"""Whether a new rule set may take the place of the one in force, and how its pairs are weighted.

Weights are chosen on baskets that come before the ones that judge. Those are the latest baskets, of which the judged
ranking has seen none; the ranking that is published afterwards has learnt from them as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from recommender.baskets import Baskets, instant_of
from recommender.evaluation.answers import answers_of_list, answers_of_ranking
from recommender.evaluation.figures import hits, is_worse
from recommender.evaluation.questions import Questions, ask
from recommender.evaluation.weighing import choose_weights
from recommender.parameters import RuleParameters, stored_parameters
from recommender.published import find_published, load_ranking
from recommender.ranking import Pairs, Ranking, Weights, best_sellers, count_pairs, rank_items


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Hit rates at 10, between 0 and 1, of completing `question_count` baskets; None where nothing could be compared.

    `verdict` says in words why the set was published or not, as a clause after "because".
    """

    question_count: int
    hit_rate: float | None
    best_sellers: float | None
    replaced: float | None
    is_good: bool
    verdict: str


def judge(connection: Connection, baskets: Baskets, parameters: RuleParameters) -> Evaluation:
    """Learn from the earlier baskets, complete the later ones, and compare with best sellers and the set in force.

    Neither may be better by more than chance explains. The set in force answers from its own index where enough baskets
    came after it was mined. Otherwise it would know answers, and is made anew by its own parameters from the baskets
    that the new one learns from.
    """
    in_force = find_published(connection)
    usual = _cut(baskets, parameters.held_out)
    if in_force is not None:
        past, questions = _parted(baskets, max(usual, instant_of(in_force.mined_at)))
        if questions.count >= parameters.least_questions:
            return _compared(parameters, past, questions, load_ranking(connection, in_force.id)[0])
    past, questions = _parted(baskets, usual)
    if questions.count < parameters.least_questions:
        return _undecided(questions, parameters)
    rival = None if in_force is None else rank_by(stored_parameters(in_force.parameters), past)
    return _compared(parameters, past, questions, rival)


def before_judging(baskets: Baskets, parameters: RuleParameters) -> Baskets:
    """The baskets that no judgement asks about."""
    return baskets.where(baskets.placed_at < _cut(baskets, parameters.held_out))


def weigh(baskets: Baskets, parameters: RuleParameters) -> Weights:
    """The weights that the parameters name; where they name none, those that complete the latest of `baskets` best.

    Too few baskets choose nothing: the usual weights stay.
    """
    if parameters.weights is not None:
        return parameters.weights
    past, questions = _parted(baskets, _cut(baskets, parameters.held_out))
    if questions.count < parameters.least_questions:
        return Weights()
    return choose_weights(past, questions, parameters)


def rank_by(parameters: RuleParameters, baskets: Baskets, pairs: Pairs | None = None) -> Ranking:
    """The ranking of `baskets` that these parameters ask for; `pairs` where they were counted already."""
    weights = parameters.weights or Weights()
    return rank_items(
        baskets,
        pairs or count_pairs(baskets, weights.basket),
        weights,
        width=parameters.companions,
        min_lift=parameters.min_lift,
        min_count=parameters.min_together,
    )


def _cut(baskets: Baskets, held_out: float) -> int:
    return int(np.quantile(baskets.placed_at, 1 - held_out)) if len(baskets) else 0


def _parted(baskets: Baskets, cut: int) -> tuple[Baskets, Questions]:
    """The baskets before the instant `cut`, and questions from those after it about products known before."""
    past = baskets.where(baskets.placed_at < cut)
    future = baskets.where(baskets.placed_at >= cut).of_items(past.item_counts() > 0)
    return past, ask(future, least=2)


def _compared(parameters: RuleParameters, past: Baskets, questions: Questions, in_force: Ranking | None) -> Evaluation:
    sellers = [past.skus[code] for code in best_sellers(past)]
    ours = hits(answers_of_ranking(rank_by(parameters, past), questions, sellers), questions)
    theirs = None if in_force is None else hits(answers_of_ranking(in_force, questions, sellers), questions)
    plain = hits(answers_of_list(sellers, questions), questions)
    rate, usual = float(ours.mean()), float(plain.mean())
    replaced = None if theirs is None else float(theirs.mean())
    asked = f"of {questions.count:,} baskets that they had not seen"
    is_good = False
    if is_worse(ours, plain):
        verdict = f"best sellers complete {usual:.1%} {asked}, the new rules only {rate:.1%}."
    elif theirs is not None and is_worse(ours, theirs):
        verdict = f"the rules in force complete {replaced:.1%} {asked}, the new ones only {rate:.1%}."
    else:
        is_good = True
        verdict = f"the new rules complete {rate:.1%} {asked}, best sellers {usual:.1%}."
    return Evaluation(questions.count, rate, usual, replaced, is_good=is_good, verdict=verdict)


def _undecided(questions: Questions, parameters: RuleParameters) -> Evaluation:
    verdict = (
        f"only {questions.count} of the latest baskets can be used to judge the new rules, "
        f"and {parameters.least_questions} are needed."
    )
    return Evaluation(questions.count, None, None, None, is_good=False, verdict=verdict)
