"""Moves many enrolments at once: runs the engine, answers what it asks, carries out what it causes, and goes on.

One bad profile does not stop the others: an error that nobody foresaw is written into its journal and counts as a
failure of the step where it stands.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from journeys.answers import Asking, Scene, answer
from journeys.effects import apply
from journeys.engine import advance
from journeys.people import load_people
from journeys.questions import Facts, Holds, Person, Question
from journeys.transition import Asked, Broken, EnqueueMessage, Enrolment, Resumed, Transition, Wake

_log = logging.getLogger("postilion.journeys")


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of it, in numbers."""

    advanced: int = 0
    messages: int = 0
    ended: int = 0

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.advanced + other.advanced, self.messages + other.messages, self.ended + other.ended)


class Held:
    """Which rules held for whom, while nothing is written about them: for those who are moved many times in a row.

    Whoever is entered or moved by other hands in the same transaction is to be forgotten.
    """

    def __init__(self) -> None:
        self._found: dict[int, dict[Holds, bool]] = defaultdict(dict)

    def find(self, asking: Asking) -> bool | None:
        profile_id, question = asking
        return self._found[profile_id].get(question) if isinstance(question, Holds) else None

    def learn(self, answers: Mapping[Asking, Any]) -> None:
        for (profile_id, question), found in answers.items():
            if isinstance(question, Holds):
                self._found[profile_id][question] = found

    def forget(self, profile_ids: Iterable[int]) -> None:
        for profile_id in profile_ids:
            self._found.pop(profile_id, None)


@dataclass(slots=True)
class _Move:
    enrolment: Enrolment
    wake: Wake
    answers: dict[Question, Any] = field(default_factory=dict)


def advance_all(
    connection: Connection,
    scene: Scene,
    moves: Sequence[tuple[Enrolment, Wake]],
    people: Mapping[int, Person] | None = None,
    held: Held | None = None,
) -> Moved:
    """Move each enrolment as far as it goes now. The caller holds their locks; nothing is committed.

    `people` are their profiles by id, where the caller has read them. `held` is what was found of the data for others
    moved in this transaction, and learns what is found now.
    """
    held = Held() if held is None else held
    total = Moved()
    open_moves = [_Move(enrolment, wake) for enrolment, wake in moves]
    if people is None:
        people = load_people(connection, {enrolment.profile_id for enrolment, _ in moves})
    while open_moves:
        finished: list[tuple[_Move, Transition]] = []
        asking: list[tuple[_Move, frozenset[Question]]] = []
        for move in open_moves:
            outcome = _advance_one(scene, move, people)
            if isinstance(outcome, Asked):
                asking.append((move, outcome.questions))
            elif outcome is not None:
                finished.append((move, outcome))
        _answer(connection, scene, asking, held)
        changed = [(move, outcome) for move, outcome in finished if _says_something(move, outcome)]
        after = apply(connection, scene, [outcome for _, outcome in changed])
        held.forget({move.enrolment.profile_id for move, _ in changed})
        total += _count(outcome for _, outcome in changed)
        open_moves = [move for move, _ in asking]
        for (_, outcome), enrolment in zip(changed, after, strict=True):
            if outcome.is_unfinished:
                open_moves.append(_Move(enrolment, Resumed(outcome.steps_done)))
    return total


def _advance_one(scene: Scene, move: _Move, people: Mapping[int, Person]) -> Transition | Asked | None:
    enrolment = move.enrolment
    journey = scene.catalogue.journeys.get((enrolment.journey, enrolment.version))
    if journey is None:
        return None  # its version cannot be read by this engine, which was logged; it stands where it stands
    facts = Facts(people[enrolment.profile_id], move.answers)
    try:
        return advance(journey, enrolment, facts, scene.catalogue.world, move.wake, scene.now)
    except Exception as error:
        if isinstance(move.wake, Broken):
            raise
        _log.exception("the journey %s failed at the step %s", enrolment.journey, enrolment.step)
        move.wake, move.answers = Broken(type(error).__name__), {}
        return _advance_one(scene, move, people)


def _answer(
    connection: Connection, scene: Scene, asking: Sequence[tuple[_Move, frozenset[Question]]], held: Held
) -> None:
    wanted: list[Asking] = [(move.enrolment.profile_id, one) for move, questions in asking for one in questions]
    known = {one: found for one in wanted if (found := held.find(one)) is not None}
    answers = known | answer(connection, scene, [one for one in wanted if one not in known])
    held.learn(answers)
    for move, questions in asking:
        move.answers.update({one: answers[move.enrolment.profile_id, one] for one in questions})


def _says_something(move: _Move, outcome: Transition) -> bool:
    return bool(outcome.journal or outcome.effects or outcome.enrolment != move.enrolment)


def _count(outcomes: Any) -> Moved:
    advanced = messages = ended = 0
    for outcome in outcomes:
        advanced += bool(outcome.journal)
        for effect in outcome.effects:
            messages += type(effect) is EnqueueMessage
        ended += outcome.enrolment.end_reason is not None and any(entry.kind == "ended" for entry in outcome.journal)
    return Moved(advanced, messages, ended)
