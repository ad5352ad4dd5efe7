"""From an event in the log to people at the door of journeys, and from there to enrolments or recorded refusals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.database import insert_ignore
from core.ids import derived_id
from core.zones import find_zone
from journeys.admission import (
    Admission,
    Admit,
    Candidate,
    PastRun,
    Refusal,
    Refuse,
    Settle,
    Standing,
    admit,
    is_held_out,
)
from journeys.advancing import Moved, advance_all
from journeys.answers import Asking, Scene, answer
from journeys.catalogue import Admitting
from journeys.conditions import Ground, holds
from journeys.enrolments import find_enrolments, insert_enrolments, load_enrolments
from journeys.entries.dates import came_lately
from journeys.entries.kinds import ApiEntry
from journeys.entries.settling import keep_settling, let_go
from journeys.entries.slots import occurrence_of_start, once_trigger_of
from journeys.model import Edge, Entry, EventEntry, Journey, SegmentEntry
from journeys.people import find_unreachable, load_people
from journeys.questions import ArmOf, Event, Question, UnansweredError
from journeys.started import from_start
from journeys.steps.holdout import HELD_OUT, TREATED
from journeys.tables import EnrolmentStatus, assignment, enrolment, entry_refusal
from journeys.transition import STARTED, Ended, EndReason, Enrolment, Entered
from segments.language.matcher import match_where

BACKFILL = "backfill"


def at_the_door(scene: Scene, event: Event, profile_id: int) -> Iterator[Candidate]:
    """Whom `event` brings to which door: at most once a journey, by the first of its triggers that fits."""
    if event.is_historical:
        return
    for admitting in scene.catalogue.admitting:
        started = from_start(admitting, event, profile_id) if event.name == STARTED else None
        if started is not None:
            yield started
            continue
        for entry in admitting.journey.entries:
            candidate = _candidate(scene, admitting, entry, event, profile_id)
            if candidate is not None:
                yield candidate
                break


def at_the_door_again(
    scene: Scene, slug: str, event: Event, profile_id: int, settles_until: datetime
) -> Candidate | None:
    """Who stood at the door of one journey before and is asked again; None when it lets nobody in by that event now."""
    for admitting in scene.catalogue.admitting:
        for entry in admitting.journey.entries if admitting.journey.slug == slug else ():
            candidate = _candidate(scene, admitting, entry, event, profile_id)
            if candidate is not None:
                return replace(candidate, settles_until=settles_until)
    return None


def _candidate(scene: Scene, admitting: Admitting, entry: Entry, event: Event, profile_id: int) -> Candidate | None:
    if event.name not in entry.names or event.occurred_at < admitting.live_since:
        return None
    match entry:
        case EventEntry():
            return _by_event(scene, admitting.journey, entry, event, profile_id)
        case SegmentEntry():
            return _by_segment(scene, admitting, entry, event, profile_id)
        case ApiEntry():
            return _by_request(admitting.journey, entry, event, profile_id)
    return None


def _by_event(scene: Scene, journey: Journey, entry: EventEntry, event: Event, profile_id: int) -> Candidate | None:
    properties = event.properties
    if not match_where(entry.where, properties, now=scene.now, zone=_zone_of(scene)):
        return None
    key = "" if entry.key is None else _key(properties.get(entry.key))
    at, received_at = event.occurred_at, event.received_at
    return Candidate(journey, entry, profile_id, key, str(event.id), event.name, at, received_at, event.id, properties)


def _by_segment(
    scene: Scene, admitting: Admitting, entry: SegmentEntry, event: Event, profile_id: int
) -> Candidate | None:
    if event.properties.get("segment") != entry.segment:
        return None
    is_first = bool(event.properties.get("initial"))  # found by the segment's first refresh
    if entry.edge is Edge.ONCE:
        journey = admitting.journey
        is_late = journey.admissions.has_begun(event.occurred_at, default_zone_of(scene, journey))
        return from_start_of(admitting, entry, profile_id) if is_first and is_late else None
    if is_first and entry.edge is Edge.ENTER:
        return from_backfill(admitting, entry, profile_id) if entry.backfill else None
    trigger = f"{entry.edge}:{entry.segment}"
    return Candidate(
        admitting.journey, entry, profile_id, "", event.occurred_at.isoformat(), trigger, event.occurred_at
    )


def _by_request(journey: Journey, entry: ApiEntry, event: Event, profile_id: int) -> Candidate | None:
    said = event.properties
    if said.get("journey") != journey.slug:
        return None
    brought = said.get("properties")
    properties = brought if isinstance(brought, Mapping) else {}
    occurrence = f"api:{said.get('request')}"
    return Candidate(journey, entry, profile_id, "", occurrence, "api", event.occurred_at, None, event.id, properties)


def from_start_of(admitting: Admitting, entry: SegmentEntry, profile_id: int) -> Candidate:
    """Somebody who is in the segment as the journey begins; found twice, it is the same occurrence."""
    began_at, trigger = admitting.began_at, once_trigger_of(entry)
    return Candidate(
        admitting.journey, entry, profile_id, "", occurrence_of_start(trigger, began_at), trigger, began_at
    )


def from_backfill(admitting: Admitting, entry: Entry, profile_id: int) -> Candidate:
    """Somebody who was in the segment when the journey went live; found twice, it is the same occurrence."""
    since = admitting.live_since
    occurrence = f"{BACKFILL}:{since.isoformat()}"
    return Candidate(admitting.journey, entry, profile_id, "", occurrence, BACKFILL, since)


def let_in(connection: Connection, scene: Scene, candidates: Sequence[Candidate]) -> tuple[set[int], Moved]:
    """Admit or refuse each candidate and set those in motion who enter; answers the new enrolments.

    No profile stands at the door of one journey twice.
    """
    if not candidates:
        return set(), Moved()
    decided = _judge(connection, scene, candidates)
    refused = [(candidate, decision) for candidate, decision in decided if isinstance(decision, Refuse)]
    record_refusals(connection, [_refused(candidate, decision.reason) for candidate, decision in refused], scene.now)
    waiting = [(candidate, decision) for candidate, decision in decided if isinstance(decision, Settle)]
    keep_settling(connection, waiting, scene.now)
    let_go(
        connection,
        [one.enrolment_uid for one, decision in decided if one.settles_until and not isinstance(decision, Settle)],
    )
    admitted = [(candidate, decision) for candidate, decision in decided if isinstance(decision, Admit)]
    moved = _end_restarted(connection, scene, [old for _, decision in admitted for old in decision.restarts])
    new, entering = _enrol(connection, scene, admitted)
    return new, moved + entering


def _judge(connection: Connection, scene: Scene, candidates: Sequence[Candidate]) -> list[tuple[Candidate, Admission]]:
    """The decision on each whose occurrence was not seen before."""
    ids = {candidate.profile_id for candidate in candidates}
    people, unreachable = load_people(connection, ids), find_unreachable(connection, ids)
    fitting = _fitting(connection, scene, candidates)
    runs = _past_runs(connection, candidates)
    lately = came_lately(connection, candidates)
    decided: list[tuple[Candidate, Admission]] = []
    for candidate in candidates:
        past = runs[candidate.journey.slug, candidate.profile_id]
        if any(run.uid == candidate.enrolment_uid for run in past):
            continue
        person = people[candidate.profile_id]
        own = find_zone(person.timezone or "")
        default = default_zone_of(scene, candidate.journey)
        standing = Standing(
            status=person.status,
            is_unreachable=candidate.profile_id in unreachable,
            fits=candidate in fitting,
            runs=past,
            zone=own or default,
            default_zone=default,
            has_zone=own is not None,
            came_lately=candidate in lately,
        )
        decided.append((candidate, admit(candidate, standing, scene.now)))
    return decided


def _enrol(connection: Connection, scene: Scene, admitted: Sequence[tuple[Candidate, Admit]]) -> tuple[set[int], Moved]:
    held_out = _draw_holdout(connection, scene, [candidate for candidate, _ in admitted])
    triggers = {candidate.enrolment_uid: candidate.trigger for candidate, _ in admitted}
    fresh = {
        candidate.enrolment_uid: new_enrolment(candidate, decision, held_out, scene.now)
        for candidate, decision in admitted
    }
    new = insert_enrolments(connection, scene.vault, list(fresh.values()))
    moved = advance_all(connection, scene, [(one, Entered(triggers[one.uid])) for one in new])
    return {one.id for one in new}, moved


def new_enrolment(candidate: Candidate, decision: Admit, held_out: set[Candidate], now: datetime) -> Enrolment:
    state: dict[str, Any] = {"run": decision.run_no}
    if candidate.chain:
        state["chain"] = candidate.chain
    return Enrolment(
        id=0,
        uid=candidate.enrolment_uid,
        journey=candidate.journey.slug,
        version=candidate.journey.version,
        profile_id=candidate.profile_id,
        key=candidate.key or "",
        entered_at=candidate.entered_at(now),
        status=EnrolmentStatus.HOLDOUT if candidate in held_out else EnrolmentStatus.ACTIVE,
        state=state,
        entry=dict(candidate.properties),
        entry_event_id=candidate.event_id,
    )


def _end_restarted(connection: Connection, scene: Scene, old: Sequence[int]) -> Moved:
    running = load_enrolments(connection, scene.vault, old)
    return advance_all(connection, scene, [(one, Ended(EndReason.RESTARTED)) for one in running.values()])


def _draw_holdout(connection: Connection, scene: Scene, candidates: Sequence[Candidate]) -> set[Candidate]:
    """Those who are held out. The first draw of each person is kept; a later percentage moves nobody."""
    drawing = [(one, holdout) for one in candidates if (holdout := one.journey.holdout) is not None]
    tests = {one: ArmOf(holdout.seed, _test_of(one.journey)) for one, holdout in drawing}
    known = answer(connection, scene, [(candidate.profile_id, test) for candidate, test in tests.items()])
    held_out, rows = set(), []
    for candidate, holdout in drawing:
        test = tests[candidate]
        arm = known[candidate.profile_id, test]
        if arm is None:
            arm = HELD_OUT if is_held_out(holdout, candidate.profile_id) else TREATED
            rows.append(
                {
                    "seed": test.seed,
                    "test": test.test,
                    "profile_id": candidate.profile_id,
                    "arm": arm,
                    "version": candidate.journey.version,
                    "is_contaminated": False,
                }
            )
        if arm == HELD_OUT:
            held_out.add(candidate)
    insert_ignore(connection, assignment, rows)
    return held_out


def _test_of(journey: Journey) -> str:
    return f"{journey.slug}/holdout"


def _fitting(connection: Connection, scene: Scene, candidates: Sequence[Candidate]) -> set[Candidate]:
    """The candidates for whom the trigger's `if` holds now."""
    answers: dict[Asking, Any] = {}
    fitting: set[Candidate] = set()
    waiting = list(candidates)
    while waiting:
        asked: set[Asking] = set()
        still = []
        for candidate in waiting:
            try:
                if candidate.entry.condition is None or holds(
                    candidate.entry.condition, _ground(scene, candidate, answers)
                ):
                    fitting.add(candidate)
            except UnansweredError as error:
                still.append(candidate)
                asked |= {(candidate.profile_id, question) for question in error.questions}
        answers |= answer(connection, scene, asked)
        waiting = still
    return fitting


def _ground(scene: Scene, candidate: Candidate, answers: Mapping[Asking, Any]) -> Ground:
    entered_at = candidate.entered_at(scene.now)
    return Ground(
        ask=_asker(candidate.profile_id, answers),
        now=scene.now,
        zone=_zone_of(scene),
        entered_at=entered_at,
        step_entered_at=entered_at,
        entry=candidate.properties,
    )


def _asker(profile_id: int, answers: Mapping[Asking, Any]) -> Callable[[Question], Any]:
    def ask(question: Question) -> Any:
        if (profile_id, question) not in answers:
            raise UnansweredError(frozenset({question}))
        return answers[profile_id, question]

    return ask


def _past_runs(connection: Connection, candidates: Sequence[Candidate]) -> dict[tuple[str, int], list[PastRun]]:
    runs: dict[tuple[str, int], list[PastRun]] = defaultdict(list)
    slugs = sorted({candidate.journey.slug for candidate in candidates})
    ids = sorted({candidate.profile_id for candidate in candidates})
    for row in find_enrolments(connection, enrolment.c.profile_id.in_(ids), enrolment.c.journey.in_(slugs)):
        past = PastRun(row.id, row.uid, row.key, EnrolmentStatus(row.status), row.entered_at, row.end_reason)
        runs[row.journey, row.profile_id].append(past)
    return runs


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody who does not enter: the run that it would have been, and why it is none."""

    enrolment_uid: str
    journey: str
    profile_id: int
    reason: Refusal
    version: int | None = None
    event_id: int | None = None  # of the log: what brought them


def record_refusals(connection: Connection, refused: Sequence[Refused], now: datetime) -> None:
    """Keep why somebody did not enter: the first reason for each occurrence."""
    rows = [
        {
            "key": derived_id("refusal", one.enrolment_uid),
            "journey": one.journey,
            "profile_id": one.profile_id,
            "reason": one.reason.value,
            "version": one.version,
            "event_id": one.event_id,
            "at": now,
        }
        for one in refused
    ]
    insert_ignore(connection, entry_refusal, rows)


def _refused(candidate: Candidate, reason: Refusal) -> Refused:
    journey = candidate.journey
    return Refused(
        candidate.enrolment_uid, journey.slug, candidate.profile_id, reason, journey.version, candidate.event_id
    )


def default_zone_of(scene: Scene, journey: Journey) -> ZoneInfo:
    """The zone of those who have none: the journey's, else the workspace's."""
    return find_zone(journey.timezone or "") or _zone_of(scene)


def _zone_of(scene: Scene) -> ZoneInfo:
    return ZoneInfo(scene.catalogue.world.workspace.timezone)


def _key(value: Any) -> str | None:
    """A property's value as a run's key; one that is missing, or is no plain value, gives none."""
    if value is None or isinstance(value, list | dict) or value == "":
        return None
    return str(value)[:200]
