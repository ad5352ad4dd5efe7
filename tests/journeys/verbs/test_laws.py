"""Laws of the verbs: shares, arms that stay, transitions that act once, and nobody who is left standing for ever."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, func, select

from core.ids import bucket
from core.located import load_yaml
from customers.tables import customer_event
from customers.workspace import parse_workspace
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.definition import parse_journey
from journeys.effects import apply
from journeys.engine import advance
from journeys.enrolments import load_enrolments
from journeys.questions import ArmOf, Earned, Event, Facts, Happened, Holds, Person, Reward
from journeys.steps.contract import ANY_EVENT
from journeys.steps.run import World
from journeys.steps.split import draw
from journeys.tables import EnrolmentStatus, assignment, bandit_draw, entry_refusal
from journeys.transition import (
    Assign,
    ChangeList,
    ClearTimers,
    Due,
    EnqueueMessage,
    Enrolment,
    Entered,
    ListChange,
    NoteDraw,
    Nudged,
    Resumed,
    SetTimer,
    StartJourney,
    TimerKind,
    Transition,
    WaitFor,
)  # fmt: skip
from tests.journeys.town import Town, at

ARMS = [("a", Fraction(50)), ("b", Fraction(30)), ("c", Fraction("19.99")), ("d", Fraction("0.01"))]


def test_the_arms_have_their_shares_when_many_people_are_split() -> None:
    """Chi-square with 2 degrees of freedom stays below its 99.99 % point; the tiny arm is one bucket of 10,000."""
    drawn = Counter(draw(ARMS, bucket("test/ab", number)) for number in range(50_000))
    shares = {"a": 0.5, "b": 0.3, "c": 0.1999 + 0.0001}
    seen = {"a": drawn["a"], "b": drawn["b"], "c": drawn["c"] + drawn["d"]}
    chi2 = sum((seen[arm] - 50_000 * share) ** 2 / (50_000 * share) for arm, share in shares.items())
    assert chi2 < 18.42
    assert [number for number in range(10_000) if draw(ARMS, number) == "d"] == [9_999]


@given(st.integers(1, 10**6), st.text(min_size=1, max_size=20))
def test_the_arm_is_the_same_whoever_reckons_it(profile_id: int, seed: str) -> None:
    assert draw(ARMS, bucket(seed, profile_id)) == draw(list(ARMS), bucket(seed, profile_id))


def test_effects_act_once_when_a_transition_is_written_twice(town: Town) -> None:
    town.person("alice")
    town.publish("list", "list: vips\n")
    town.journey("journey: other\nenter: {event: never}\nsteps: []\n")
    town.journey("journey: one\nenter: {event: signed_up}\nsteps: [{id: rest, wait: 9d}]\n")
    town.log("signed_up", "alice")
    town.work()
    now = town.clock.now()
    effects = (
        Assign("s", "one/ab", "a"),
        ChangeList("vips", ListChange.ADD),
        NoteDraw("visit", "a", now, now, Earned("one/bandit", Reward(event="visited"), now)),
        StartJourney("start", "other", 1, {"x": 1}),
        StartJourney("idle", "nowhere", 1),
    )
    tables: tuple[Table, ...] = (assignment, bandit_draw, customer_event, entry_refusal)
    counts = []
    for _ in range(2):
        with town.runtime.database.transaction() as connection:
            scene = Scene(town.runtime.vault, get_catalogue(connection), now)
            (one,) = load_enrolments(connection, scene.vault, [town.enrolments("alice")[0].id]).values()
            apply(connection, scene, [Transition(one, effects=effects)])
            counts.append([connection.scalar(select(func.count()).select_from(table)) for table in tables])
    assert counts[0] == counts[1]
    town.work()
    assert [run.journey for run in town.enrolments("alice")].count("other") == 1


# -- nobody is stranded ------------------------------------------------------------------------------------------------

LEAVES = (
    {"emit": "x"}, {"set": {"first_name": "Al"}}, {"wait": "3h"}, {"wait": "2d"}, {"wait_until": {"time": "10:00"}},
    {"wait_until": {"date": "2026-06-05", "if_past": "exit"}}, {"email": "hello", "topic": "letters"},
    {"email": {"split": {"a": "hello", "b": "bye"}}, "topic": "letters"}, {"email": "no_topic"}, {"exit": "done"},
    {"add_to": "vips"}, {"remove_from": "vips"}, {"start_journey": "other"}, {"holdout": "20%"},
    {"wait_for": {"event": "visited"}, "timeout": "1d"},
    {"wait_for": [{"event": "visited", "count": {"gte": 2}}, {"event": "bought"}], "timeout": "5h",
     "on_timeout": "exit"},
    {"wait_until": {"date": "lacking"}}, {"wait_until": {"date": "lacking"}, "on_error": "exit"},
)  # fmt: skip
CONDITION = {"event": "visited"}


def steps(blocks: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(blocks, max_size=3)
    return st.one_of(
        some.map(lambda do: {"repeat": {"max": 3, "until": CONDITION, "do": do}}),
        st.tuples(some, some).map(lambda two: {"choose": [{"if": CONDITION, "then": two[0]}], "else": two[1]}),
        st.tuples(some, some).map(lambda two: {"split": {"a": {"then": two[0]}, "b": {"then": two[1]}}}),
        st.tuples(some, some).map(
            lambda two: {"bandit": {"a": {"then": two[0]}, "b": {"then": two[1]}},
                         "reward": {"event": "bought", "within": "7d"}}
        ),
        some.map(lambda then: {"wait_for": {"event": "visited"}, "timeout": "3d", "then": then}),
        some.map(lambda then: {"wait_until": {"date": "lacking"}, "on_error": then}),
    )  # fmt: skip


JOURNEYS = st.lists(st.recursive(st.sampled_from(LEAVES), steps, max_leaves=8), min_size=1, max_size=6)
WORLD = World(parse_workspace({"workspace": "shop", "timezone": "UTC", "currency": "EUR"}))


class Passage:
    """One run through one journey, with the timers, waits and messages that it has outstanding."""

    def __init__(self, document: dict[str, Any]) -> None:
        located, _ = load_yaml(json.dumps(document).encode(), "x.yaml")
        assert located is not None
        journey, _ = parse_journey(located, "x.yaml")
        assert journey is not None
        self.journey = journey
        self.enrolment = Enrolment(1, "e", "x", 0, 1, "", at("2026-06-01T08:00"))
        self.now = self.enrolment.entered_at
        self.timers: dict[TimerKind, Any] = {}
        self.names: set[str] = set()
        self.unsent: list[str] = []
        self.events: list[Event] = []
        self.arms: dict[ArmOf, str] = {}
        self.last_seq = 0

    def move(self, wake: Any) -> None:
        answers: dict[Any, Any] = {}
        for _ in range(3_000):
            outcome = advance(self.journey, self.enrolment, Facts(Person(1), answers), WORLD, wake, self.now)
            if not isinstance(outcome, Transition):
                answers |= {question: self.answer(question) for question in outcome.questions}
                continue
            self.write(outcome)
            if not outcome.is_unfinished:
                return
            wake, answers = Resumed(outcome.steps_done), {}
        raise AssertionError("it never ends")

    def answer(self, question: Any) -> Any:
        match question:
            case Happened():
                return tuple(one for one in self.events
                             if one.name in question.names and one.occurred_at >= question.since)  # fmt: skip
            case ArmOf():
                return self.arms.get(question)
            case Holds():
                return any(one.name == "visited" for one in self.events)
            case Earned():
                return {"a": (3, 5)}
            case _:
                return {}

    def write(self, outcome: Transition) -> None:
        self.enrolment = outcome.enrolment
        self.last_seq += len(outcome.journal)
        assert self.enrolment.journal_seq == self.last_seq
        for effect in outcome.effects:
            match effect:
                case SetTimer():
                    self.timers[effect.kind] = effect.due_at
                case WaitFor():
                    self.names = {name for _, name in effect.names}
                case EnqueueMessage():
                    self.unsent.append(effect.id)
                case Assign():
                    self.arms.setdefault(ArmOf(effect.seed, effect.test), effect.arm)
                case ClearTimers():
                    for kind in effect.kinds:
                        self.timers.pop(kind, None)

    @property
    def is_expected(self) -> bool:
        """Whether something outstanding will move it on: the step's timer, or its message's end."""
        memo = self.enrolment.state.get("waiting") or {}
        return TimerKind.STEP in self.timers or memo.get("message") in self.unsent

    def happens(self, name: str, **properties: Any) -> None:
        event = Event(len(self.events) + 1, name, self.now, self.now, properties)
        self.events.append(event)
        memo = self.enrolment.state.get("waiting") or {}
        if self.names & {name, ANY_EVENT} or "message" in memo:
            self.move(Nudged((event,)))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JOURNEYS, st.lists(st.sampled_from(["visited", "bought", "sent", "failed", "time"]), max_size=12))
@example([{"email": "hello", "topic": "letters", "on_error": [{"wait": "3h"}]}], ["failed"] * 6)
def test_nobody_is_stranded_in_any_journey_whatever_happens(drawn: list[Any], happenings: list[str]) -> None:
    """Whoever is inside has a timer or a message outstanding, and is out when time has gone on for long enough."""
    passage = Passage({"journey": "x", "enter": {"event": "signed_up"}, "status": "live", "steps": drawn})
    passage.move(Entered("signed_up"))
    for what in [*happenings, *["sent", "time"] * 400]:
        if passage.enrolment.status is EnrolmentStatus.ENDED:
            assert not passage.timers
            assert not passage.names
            return
        assert passage.is_expected, passage.enrolment
        if what == "time":
            kind, _ = min(passage.timers.items(), key=lambda one: one[1])
            if kind is TimerKind.STEP:
                passage.now = max(passage.now, passage.timers.pop(kind))
                passage.move(Due(kind))
        elif what in ("sent", "failed"):
            if passage.unsent:
                reason = {"reason": "render_error"} if what == "failed" else {}
                passage.happens(f"message_{what}", message_id=passage.unsent.pop(), **reason)
        else:
            passage.happens(what)
    raise AssertionError("still inside")
