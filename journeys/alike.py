"""People who stand alike go on alike: the engine is asked once for all of them, and the answer written for each.

Those who were let in together stand, some steps later, at the same place with the same state, and most steps forward
look at nothing of the person but the zone and whether some condition holds. Such a step is taken by a stand-in, whose
own affairs cannot be read. A step that reads them, or does more than wait, is taken by each person alone, as everywhere
else, and so is every step of people who are few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sqlalchemy import Connection

from journeys.advancing import Moved
from journeys.answers import Scene, answer
from journeys.effects import keep_timers, keep_waits, last_timers
from journeys.engine import advance
from journeys.enrolments import StoredEnrolment, append_texts, journal_texts, save_rows, saved_row
from journeys.questions import Facts, Person, Question
from journeys.tables import EnrolmentStatus
from journeys.transition import Asked, ClearTimers, Due, Enrolment, SetTimer, TimerKind, Transition, WaitFor

_FEW = 8  # of whom each is moved alone: a stand-in who fails has cost one call of the engine
_WRITTEN_FOR_ALL = (SetTimer, ClearTimers, WaitFor)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An enrolment whose timer is due, its lock held, with what is always known of its person."""

    stored: StoredEnrolment
    person: Person
    timer: str


@dataclass(frozen=True, slots=True)
class _Group:
    """People of whom nothing is known that would tell them apart."""

    members: Sequence[Waiting]
    answers: Mapping[Question, Any]


def move_alike(connection: Connection, scene: Scene, waiting: Sequence[Waiting]) -> tuple[Moved, list[Waiting]]:
    """Move those of whom many stand alike; answers what came of it, and who remains to be moved one by one."""
    alike: dict[Any, list[Waiting]] = defaultdict(list)
    for one in waiting:
        alike[one.stored.shared, one.timer, one.person.status, one.person.timezone].append(one)
    groups = [_Group(members, {}) for members in alike.values()]
    written, alone = _Written(scene), list[Waiting]()
    while groups:
        asking: list[tuple[_Group, frozenset[Question]]] = []
        for group in groups:
            step = _take_step(scene, group) if len(group.members) >= _FEW else None
            if step is None:
                alone += group.members
            elif isinstance(step, Asked):
                asking.append((group, step.questions))
            else:
                written.add(step, [one.stored for one in group.members])
        groups = _part(connection, scene, asking)
    written.save(connection)
    return Moved(advanced=written.count), alone


def _take_step(scene: Scene, group: _Group) -> Transition | Asked | None:
    """What becomes of everybody in the group; None where that cannot be said of all of them at once."""
    example = group.members[0]
    stored, person = example.stored, Person(_OWN, example.person.status, example.person.timezone, _OWN)
    journey = scene.catalogue.journeys[stored.version]
    stand_in = Enrolment(
        _OWN, _OWN, journey.slug, journey.version, _OWN, _OWN, _OWN,
        entry=_OWN, results=_OWN, origin_profile_id=_OWN, entry_event_id=_OWN, **stored.read_shared(),
    )  # fmt: skip
    wake, facts = Due(TimerKind(example.timer)), Facts(person, group.answers)
    try:
        step = advance(journey, stand_in, facts, scene.catalogue.world, wake, scene.now)
        if isinstance(step, Asked):
            return step
        if step.is_unfinished or not step.journal:
            return None
        journal_texts(step.journal)  # which may name what is a person's own
    except _OwnAffairError:
        return None
    except Exception:  # noqa: BLE001 - whoever fails alone has it logged and in the journal
        return None
    is_for_all = step.enrolment.status is EnrolmentStatus.ACTIVE and step.enrolment.results is _OWN
    return step if is_for_all and all(isinstance(effect, _WRITTEN_FOR_ALL) for effect in step.effects) else None


def _part(connection: Connection, scene: Scene, asking: Sequence[tuple[_Group, frozenset[Question]]]) -> list[_Group]:
    """Ask of everybody what was asked of the stand-ins: those with the same answers go on together."""
    wanted = [(one.person.id, question) for group, asked in asking for one in group.members for question in asked]
    answers = answer(connection, scene, wanted)
    parted = []
    for group, asked in asking:
        by_answer: dict[Any, list[Waiting]] = defaultdict(list)
        for one in group.members:
            found = tuple(answers[one.person.id, question] for question in asked)
            is_plain = all(part is None or part == () or isinstance(part, bool) for part in found)
            by_answer[found if is_plain else one.stored.id].append(one)
        for members in by_answer.values():
            known = {question: answers[members[0].person.id, question] for question in asked}
            parted.append(_Group(members, {**group.answers, **known}))
    return parted


class _Written:
    """The rows of many steps that are each taken by many, written together."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.count = 0
        self._saved: list[tuple[Any, ...]] = []
        self._journal: list[tuple[Any, ...]] = []
        self._timers: list[tuple[int, str, int]] = []
        self._cleared: dict[str, list[int]] = defaultdict(list)
        self._ended_waits: list[int] = []
        self._waits: list[tuple[int, int, str, int]] = []

    def add(self, step: Transition, members: Sequence[StoredEnrolment]) -> None:
        self.count += len(members)
        ids = [one.id for one in members]
        journey = self._scene.catalogue.journeys[step.enrolment.journey, step.enrolment.version]
        _, *same, added = saved_row(step.enrolment, journey)
        self._saved += [(one.id, *same, one.journal_seq + added) for one in members]
        for place, (kind, data) in enumerate(journal_texts(step.journal), start=1):
            self._journal += [(one.id, one.journal_seq + place, kind, data) for one in members]
        for timer, due_at in last_timers(step.effects).items():
            if due_at is None:
                self._cleared[timer] += ids
            else:
                self._timers += [(number, timer, due_at) for number in ids]
        waits = [effect for effect in step.effects if isinstance(effect, WaitFor)]
        if waits:
            self._ended_waits += ids
            for place, name in waits[-1].events():
                self._waits += [(one.id, place, name, one.profile_id) for one in members]

    def save(self, connection: Connection) -> None:
        if not self.count:
            return
        save_rows(connection, self._saved)
        append_texts(connection, self._journal, self._scene.now)
        keep_timers(connection, self._timers, self._cleared)
        keep_waits(connection, self._ended_waits, self._waits)


class _OwnAffairError(Exception):
    """Something was read that is one person's own."""


class _Own:
    """What differs from one person to the next: it may be handed on, and nothing can be read from it."""

    __slots__ = ()

    def _refuse(self, *_: object) -> NoReturn:
        raise _OwnAffairError

    __getattr__ = __getitem__ = __iter__ = __contains__ = __len__ = __bool__ = _refuse
    __str__ = __repr__ = __format__ = __hash__ = __int__ = __index__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = _refuse


_OWN: Final[Any] = _Own()
