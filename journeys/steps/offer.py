"""`offer`: choose products for this person now; templates read them as `steps.<id>.items`.

The choice is frozen here. What is sold out by the time a message is sent is dropped there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from journeys.steps.contract import Decision, Done, NameKind, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.transition import DecideOffer

_NOT_YET = ("strategy", "exclude", "fallback")


@dataclass(frozen=True, slots=True)
class OfferStep:
    """Offers in the order in which they are tried; `count` None leaves it to the offer."""

    offers: tuple[str, ...]
    count: int | None = None


def parse(spec: StepSpec) -> OfferStep:
    data: Any = spec.data["offer"]
    if isinstance(data, str):
        spec.mention(NameKind.OFFER, data, "offer")
        return OfferStep((data,))
    for word in _NOT_YET:
        if word in data:
            spec.not_yet("offer", word)
    offers = tuple(data.get("from", ()))
    if not offers:
        hint = "add 'from:' with the names of offers"
        spec.report("E101", "offer", message="nothing says which offer is meant", hint=hint)
    for place, slug in enumerate(offers):
        spec.mention(NameKind.OFFER, slug, "offer", "from", place)
    return OfferStep(offers, data.get("count"))


def advance(step: Step, run: Run) -> Decision:
    action: OfferStep = step.action
    # The same for everybody who comes here for the first time, so that one call decides for all of them.
    key = f"{run.journey.slug}/{step.id}/{run.run_no}.{run.visits[step.id]}"
    run.effects.append(DecideOffer(step.id, action.offers, action.count, key))
    return Done()


VERB = Verb("offer", parse, advance)
