"""A simulation's outcome as one document, sorted throughout, so that equal input gives it byte for byte. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from core.clock import from_micros
from journeys.simulation.costs import PRICES, cost_of, load_of
from journeys.simulation.plan import Plan
from journeys.simulation.tally import StepTally, Tally
from journeys.steps.contract import Step

_MINUTE = 60_000_000
_ALWAYS = (
    "Texts are not rendered, so that an error in a template is not seen.",
    "The provider's rate holds nobody up; what it would have to carry is under `load`.",
)


def report(plan: Plan, what: str, tally: Tally, rates: Mapping[str, float]) -> dict[str, Any]:
    """`what` says in words what was fed in, `rates` are the providers' messages a second by channel."""
    journey = plan.journey
    channels = sorted(tally.minutes)
    return {
        "journey": journey.slug,
        "version": journey.version,
        "from": plan.start.isoformat(),
        "to": plan.end.isoformat(),
        "fed": what,
        "people": tally.people,
        "events": tally.events,
        "entries": {
            "entered": tally.entered,
            "held_out": tally.held_out,
            "refused": _sorted(tally.refused),
        },
        "goal": {
            "reached": tally.goals,
            "reached_held_out": tally.goals_held_out,
            "value": round(tally.goal_value, 2),
        }
        if journey.goal
        else None,
        "ended": _sorted(tally.ended),
        "inside": tally.inside,
        "messages": {channel: _channel(channel, tally, rates.get(channel)) for channel in channels},
        "losses": _by_reason(tally.skipped),
        "losses_by_step": _by_step(tally.skipped),
        "held": _by_reason(tally.held),
        "cancelled": _sorted(Counter({reason: count for reason, count in tally.cancelled.items() if count})),
        "pending": tally.pending,
        "responses": _sorted(tally.responses),
        "steps": [_step(step, tally) for step in journey.steps],
        "transitions": tally.transitions,
        "notes": _notes(plan, tally),
    }


def _channel(channel: str, tally: Tally, rate: float | None) -> dict[str, Any]:
    days = {day.isoformat(): count for (day, of), count in sorted(tally.sent.items()) if of == channel}
    cost, price = cost_of(channel, sum(days.values())), PRICES.get(channel)
    load = load_of(tally.minutes[channel], rate)
    assert load is not None
    busiest = max(days, key=lambda day: days[day])
    return {
        "sent": sum(days.values()),
        "cost": None
        if cost is None or price is None
        else {"amount": f"{cost:.2f}", "currency": price.currency, "by": f"{price.of}, {price.as_of:%Y-%m}"},
        "per_day": days,
        "load": {
            "busiest_day": busiest,
            "busiest_day_count": days[busiest],
            "busiest_minute": from_micros(load.minute * _MINUTE).isoformat(),
            "busiest_minute_count": load.count,
            "account_per_second": load.rate,
            "latest_by_seconds": None if load.latest_s is None else round(load.latest_s, 1),
        },
    }


def _step(step: Step, tally: Tally) -> dict[str, Any]:
    counted = tally.steps.get(step.id) or StepTally()
    sent = {channel: count for (place, channel), count in sorted(tally.sent_at_step.items()) if place == step.id}
    through, left = sum(counted.outcomes.values()), sum(counted.left.values())
    return {
        "id": step.id if step.has_own_id else None,
        "key": step.id,
        "verb": step.verb.name,
        "reached": through + left + counted.standing,
        "outcomes": _sorted(counted.outcomes),
        "ways": _sorted(counted.ways),
        "left": _sorted(counted.left),
        "standing": counted.standing,
        "errors": counted.errors,
        "sent": sent,
        "offered": {"something": tally.offered[step.id, True], "nothing": tally.offered[step.id, False]}
        if step.verb.name == "offer"
        else None,
        "blocks": {name: [_step(inner, tally) for inner in block] for name, block in step.blocks.items()},
    }


def _notes(plan: Plan, tally: Tally) -> list[str]:
    notes = list(_ALWAYS)
    opens, clicks = plan.responses.opens, plan.responses.clicks
    if opens or clicks:
        notes.append(f"Answers are a model and no forecast: {opens:.1%} open, {clicks:.1%} click.")
    else:
        notes.append("Nobody opens or clicks: answers to messages that were never sent are not simulated.")
    if plan.watched and plan.time_turns:
        notes.append("Whom time alone brings into a segment, or out of it, is seen a day late at the most.")
    notes += [f"Left out: {count:,} {what}." for what, count in sorted(tally.left_out.items())]
    if tally.restless:
        notes.append(f"{tally.restless:,} people never come to rest: steps and events cause each other without a wait.")
    return notes


def _by_reason(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for (_, reason), count in counts.items():
        total[reason] += count
    return _sorted(total)


def _by_step(counts: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [{"step": step, "reason": reason, "count": count} for (step, reason), count in sorted(counts.items())]


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))
