"""The engine by itself: no database, no clock; laws that hold for every instant and every weight."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.located import load_yaml
from customers.workspace import parse_workspace
from journeys.definition import parse_journey
from journeys.engine import advance
from journeys.model import Journey
from journeys.questions import Event, Facts, Happened, Person, Question
from journeys.steps.run import World
from journeys.steps.split import BUCKETS, draw
from journeys.transition import Asked, Due, Enrolment, Entered, TimerKind, Transition, Wake
from tests.journeys.town import at

WORLD = World(parse_workspace({"workspace": "shop", "timezone": "UTC", "currency": "EUR"}))
START = at("2026-06-01T08:00")
WAIT = "journey: x\nenter: {event: e}\nsteps: [{id: s, wait_for: [{event: a}, {event: b}], timeout: 1h}]\n"


def parse(text: str) -> Journey:
    located, _ = load_yaml(text.encode(), "x.yaml")
    assert located is not None
    journey, faults = parse_journey(located, "x.yaml")
    assert journey is not None
    assert not faults
    return journey


def move(journey: Journey, enrolment: Enrolment, wake: Wake, now: Any, events: tuple[Event, ...] = ()) -> Transition:
    """Run the engine until it asks nothing more; of everything it asks, only events are known."""
    facts = Facts(Person(1))
    for _ in range(20):
        outcome = advance(journey, enrolment, facts, WORLD, wake, now)
        if isinstance(outcome, Transition):
            return outcome
        assert isinstance(outcome, Asked)
        answers: dict[Question, Any] = {
            question: tuple(
                event for event in events if event.name in question.names and event.occurred_at >= question.since
            )
            for question in outcome.questions
            if isinstance(question, Happened)
        }
        assert len(answers) == len(outcome.questions)
        facts = Facts(facts.person, {**facts.answers, **answers})
    raise AssertionError("the engine never has enough")


@given(st.lists(st.tuples(st.integers(-10, 3_610), st.sampled_from("ab")), max_size=6), st.randoms())
def test_the_earliest_event_in_the_half_open_window_decides_whatever_came_first(
    happenings: list[tuple[int, str]], order: Any
) -> None:
    journey = parse(WAIT)
    new = Enrolment(1, "e", "x", 0, 1, "", START)
    waiting = move(journey, new, Entered("e"), START).enrolment
    events = [
        Event(number, name, START + timedelta(seconds=seconds), START)
        for number, (seconds, name) in enumerate(happenings, start=1)
    ]
    stored = sorted(events, key=lambda event: event.order)
    order.shuffle(events)
    done = move(journey, waiting, Due(TimerKind.STEP), START + timedelta(hours=1), tuple(stored)).enrolment
    inside = [
        (event.occurred_at, "ab".index(event.name) + 1, event.id)
        for event in stored
        if START <= event.occurred_at < START + timedelta(hours=1)
    ]
    assert done.state["answers"]["s"] == [min(inside)[1] if inside else "timeout"]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any))
def test_the_arms_of_a_split_cover_every_bucket_once_in_the_order_of_the_file(weights: list[int]) -> None:
    arms = [(str(number), Fraction(weight)) for number, weight in enumerate(weights)]
    drawn = [int(draw(arms, bucket)) for bucket in range(0, BUCKETS, 7)]
    assert drawn == sorted(drawn)
    assert {weights[arm] for arm in drawn} <= set(weights) - {0}
    total, before = sum(weights), 0
    for number, weight in enumerate(weights):
        if weight:
            assert draw(arms, BUCKETS * before // total) == str(number)
        before += weight


def test_the_same_call_gives_the_same_transition_when_it_is_repeated() -> None:
    journey = parse(WAIT)
    new = Enrolment(1, "e", "x", 0, 1, "", START)
    assert move(journey, new, Entered("e"), START) == move(journey, new, Entered("e"), START)
