"""`offer`: choose products for this person now; templates read them as `steps.<id>.items`.

The whole ranking is frozen here with the model that made it. What is sold out by the time a message is sent makes room
for the next of it; where nothing is left, `fallback` takes its place, and without one the message is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.suggest import did_you_mean
from journeys.steps.contract import Decision, Done, NameKind, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.transition import DecideOffer, Strategy
from segments.language.rules import Rule


@dataclass(frozen=True, slots=True)
class OfferStep:
    """Offers in the order in which they are tried; `count` None leaves it to the offer.

    Those for whom `excluded` holds get the fallback alone.
    """

    offers: tuple[str, ...]
    count: int | None = None
    strategy: Strategy = Strategy.FIRST
    excluded: Rule | None = None
    fallback: str | None = None


def parse(spec: StepSpec) -> OfferStep:
    data: Any = spec.data["offer"]
    if isinstance(data, str):
        spec.mention(NameKind.OFFER, data, "offer")
        return OfferStep((data,))
    offers = tuple(data.get("from", ()))
    if not offers:
        hint = "add 'from:' with the names of offers"
        spec.report("E101", "offer", message="nothing says which offer is meant", hint=hint)
    for place, slug in enumerate(offers):
        spec.mention(NameKind.OFFER, slug, "offer", "from", place)
    if "fallback" in data:
        spec.mention(NameKind.OFFER, data["fallback"], "offer", "fallback")
    return OfferStep(
        offers,
        data.get("count"),
        _strategy(spec, data.get("strategy", Strategy.FIRST)),
        spec.conditions(data["exclude"], "offer", "exclude") if "exclude" in data else None,
        data.get("fallback"),
    )


def _strategy(spec: StepSpec, written: str) -> Strategy:
    if written in list(Strategy):
        return Strategy(written)
    hint = did_you_mean(written, Strategy) or f"write one of {', '.join(Strategy)}"
    spec.report("E103", "offer", "strategy", message=f"`strategy` knows no '{written}'", hint=hint)
    return Strategy.FIRST


def advance(step: Step, run: Run) -> Decision:
    action: OfferStep = step.action
    is_excluded = action.excluded is not None and run.holds(action.excluded)
    offers = () if is_excluded else action.offers
    for offer in (*offers, action.fallback):
        run.use(f"offer/{offer}")
    # The same for everybody who comes here for the first time, so that one call decides for all of them.
    key = f"{run.journey.slug}/{step.id}/{run.run_no}.{run.visits[step.id]}"
    run.effects.append(DecideOffer(step.id, offers, action.count, key, action.strategy, action.fallback))
    return Done()


VERB = Verb("offer", parse, advance)
