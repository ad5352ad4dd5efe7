"""A test inside one message: arms that differ only in their template, by `split` or by `bandit`.

Conditions name the one step; `{branch: step, is: arm}` tells who got which. The arm of a `split` is stored like that of
a step, a `bandit` draws at each visit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from journeys.steps.contract import Decision, Done, Stay, Step, StepSpec
from journeys.steps.reward import Bandit, draw, parse_bandit
from journeys.steps.run import Run
from journeys.steps.split import stored_arm

ReadTemplate = Callable[..., str]  # (name as written, *path) to the name; notes that it is mentioned


@dataclass(frozen=True, slots=True)
class Variant:
    """What one arm sends; its `values` go before those of the step."""

    template: str
    weight: Fraction = Fraction(1)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageTest:
    """Arms in the order of the file. `seed` None is the test's own name; without `bandit` it is a split."""

    variants: Mapping[str, Variant]
    seed: str | None = None
    bandit: Bandit | None = None


def parse_test(spec: StepSpec, channel: str, read_template: ReadTemplate) -> MessageTest:
    content: Mapping[str, Any] = spec.data[channel]
    word = "split" if "split" in content else "bandit"
    variants = {}
    for name, arm in content[word].items():
        path = (channel, word, name)
        if isinstance(arm, str):
            variants[name] = Variant(read_template(arm, *path))
        else:
            values = spec.value(arm.get("with", {}), *path, "with")
            template = read_template(arm["template"], *path, "template")
            variants[name] = Variant(template, Fraction(str(arm.get("weight", 1))), values)
    return MessageTest(
        variants, content.get("seed"), parse_bandit(spec, content, channel) if word == "bandit" else None
    )


def choose_arm(step: Step, run: Run, test: MessageTest) -> str:
    """The arm of this visit; trying again after a failure sends the same."""
    before = run.taken.get(step.id, ()) if run.failures else ()
    arm = next((str(one) for one in before if one in test.variants), None)
    if arm is None and test.bandit is not None:
        arm = draw(step, run, tuple(test.variants), test.bandit)
    elif arm is None:
        arm = stored_arm(step, run, [(name, one.weight) for name, one in test.variants.items()], test.seed)
    run.taken[step.id] = [arm]
    return arm


def with_arm(decision: Decision, arm: str | None) -> Decision:
    """`decision` with the arm in what is remembered while the message is under way, and among the answers."""
    match decision:
        case Stay() if arm is not None:
            return Stay({**decision.memo, "arm": arm}, decision.until, decision.names)
        case Done() if arm is not None:
            return Done(decision.outcome, (arm, *decision.answers), decision.block)
        case _:
            return decision
