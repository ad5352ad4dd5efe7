"""What a bandit counts as success, how soon, and with which caution; a step and a message's own test share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.durations import Duration, add_calendar
from journeys.questions import Earned, Reward
from journeys.steps.contract import NameKind, Step, StepSpec
from journeys.steps.holdout import as_share
from journeys.steps.run import Run
from journeys.steps.thompson import draw_arm
from journeys.transition import JournalKind, NoteDraw
from segments.language.matcher_parser import parse_where
from segments.language.rules import Happening


@dataclass(frozen=True, slots=True)
class Bandit:
    """`floor` is the least share of an arm in percent; what happened within `delay` of now is not known yet."""

    reward: Reward
    within: Duration
    floor: Decimal
    delay: Duration


def parse_bandit(spec: StepSpec, data: Mapping[str, Any], *path: str | int) -> Bandit:
    """The settings that stand in `data` at `path`, beside the arms."""
    stated: Mapping[str, Any] = data["reward"]
    place = (*path, "reward")
    if ("event" in stated) == ("message" in stated):
        message = "a reward is an event or what became of a message"
        second = ("message",) if "message" in stated else ()
        spec.report("E103", *place, *second, message=message, hint="keep one of `event` and `message`", at_key=True)
    if "within" not in stated:
        hint = "add `within:`, such as 7d"
        spec.report("E101", *place, message="nothing says how long a success may take", hint=hint)
    if "message" in stated:
        spec.mention(NameKind.MESSAGE_STEP, stated["message"], *place, "message")
    within = spec.duration(stated.get("within", "7d"), *place, "within")
    if not within.as_elapsed():
        spec.report("E134", *place, "within", message="within no time nothing is earned", hint="write 7d")
    where = parse_where(stated.get("where", {}), spec.report_at, (*spec.path, *place, "where"))
    return Bandit(
        reward=Reward(
            event=None if "message" in stated else stated.get("event", ""),
            step=stated.get("message"),
            was=Happening(stated.get("was", Happening.CLICKED)),
            where=where,
        ),
        within=within,
        floor=as_share(data.get("floor", 0)),
        delay=spec.duration(data["delay"], *path, "delay") if "delay" in data else Duration(),
    )


def draw(step: Step, run: Run, arms: Sequence[str], bandit: Bandit) -> str:
    """The arm of this visit, drawn by what is known by now; the draw and what it was made from are journaled."""
    visit = run.step_run_id(step)
    known_until = add_calendar(run.now, -bandit.delay, run.default_zone)
    earned = Earned(run.test_of(step), bandit.reward, known_until)
    tallies: Mapping[str, tuple[int, int]] = run.ask(earned)
    drawn = draw_arm(arms, tallies, visit, bandit.floor)
    ends_at = add_calendar(run.now, bandit.within, run.zone)
    run.effects.append(NoteDraw(visit, drawn.arm, run.now, ends_at, earned))
    known = {arm: list(tallies.get(arm, (0, 0))) for arm in arms}
    run.note(JournalKind.DRAWN, step=step.id, arm=drawn.arm, by=drawn.by, known=known)
    return drawn.arm
