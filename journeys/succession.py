"""What follows a merge beyond the customer view: messages, opens and clicks, offers and runs go to the survivor.

The log tells that two profiles became one, or two again; what belongs to whom is then read from how things stand now,
so that following late, twice or several at once ends alike. A run that is under way goes on with the survivor; of two
of the same journey and key, one of each, the one that was entered earlier.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, text, update

from core.cursors import Position, get_position, latest_position, save_position
from core.database import batches
from core.runtime import Runtime
from customers.log import LoggedEvent, read_log
from customers.merge_rows import EVENTS
from customers.ownership import Move, find_moves, settle_rows, settle_table
from customers.tables import customer_event, profile_merge
from delivery.pauses import EVERYTHING, find_pauses
from delivery.tables import message
from journeys.advancing import advance_all
from journeys.answers import Scene
from journeys.arms_kept import keep_arms
from journeys.catalogue import get_catalogue
from journeys.enrolments import load_enrolments
from journeys.tables import EnrolmentStatus, bandit_draw, enrolment, event_wait
from journeys.tick import LOCK
from journeys.transition import Ended, EndReason, Succeeded
from recommender.tables import offer_code, offer_decision
from tracking.tables import engagement_event

CURSOR: Final = "succession"
_BATCH: Final = 500
_WORTH_SAVING: Final = 1_000  # so many events without a merge among them are rather read again than noted one by one
_TABLES = (message, engagement_event, offer_decision, offer_code, bandit_draw)
_LIVE = enrolment.c.status != EnrolmentStatus.ENDED.value


def follow_merges(runtime: Runtime, now: datetime) -> int:
    """Let everything follow the merges and splits that the log tells of; answers how many there were.

    Does nothing while everything is paused. Safe to be killed, and to run twice.
    """
    total = 0
    while True:
        with runtime.database.read() as connection:
            if EVERYTHING in find_pauses(connection, now) or not _has_news(connection):
                return total
        with runtime.database.transaction() as connection:
            if connection.dialect.name == "postgresql":  # no run moves while it changes hands
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK})
            total += _follow(connection, runtime, now)


def _has_news(connection: Connection) -> bool:
    """Whether there is a merge to follow, or so much else that it should be noted as read."""
    position, latest = get_position(connection, CURSOR), latest_position(connection, customer_event)
    if _order(latest) <= _order(position):
        return False
    return latest.row_id - position.row_id > _WORTH_SAVING or bool(_read(connection, position)[0])


def _read(connection: Connection, position: Position) -> tuple[list[LoggedEvent], Position]:
    return read_log(connection, position, _BATCH, EVENTS.values())


def _order(position: Position) -> tuple[int, int]:
    return (position.transaction_no, position.row_id)


def _follow(connection: Connection, runtime: Runtime, now: datetime) -> int:
    position, latest = get_position(connection, CURSOR), latest_position(connection, customer_event)
    events, behind = _read(connection, position)
    merge_ids = [int(event.properties["merge_id"]) for event in events]
    concerned: set[int] = set()
    for some in batches(merge_ids, _BATCH):
        pairs = select(profile_merge.c.profile_id, profile_merge.c.merged_profile_id)
        for pair in connection.execute(pairs.where(profile_merge.c.id.in_(some))):
            concerned.update(pair)
    if concerned:
        settle_rows(connection, concerned)  # what was written about the merged one while it was being merged
        for table in _TABLES:
            settle_table(connection, table, concerned)
        _hand_over_runs(connection, runtime, concerned, now)
    is_all = len(events) < _BATCH
    save_position(connection, CURSOR, max(behind, latest, key=_order) if is_all else behind)
    return len(events)


def _hand_over_runs(connection: Connection, runtime: Runtime, concerned: Collection[int], now: datetime) -> None:
    """Bring runs to whom they belong now; those under way go on there, or end where one such is under way already."""
    staying, surplus = _sort_out(connection, find_moves(connection, enrolment, concerned, _LIVE))
    scene = Scene(runtime.vault, get_catalogue(connection), now) if staying or surplus else None
    if scene is not None and surplus:
        ending = load_enrolments(connection, scene.vault, surplus)
        advance_all(connection, scene, [(one, Ended(EndReason.MERGED)) for one in ending.values()])
    settle_table(connection, enrolment, concerned)
    keep_arms(connection, concerned)
    for some in batches(staying, _BATCH):
        owner = select(enrolment.c.profile_id).where(enrolment.c.id == event_wait.c.enrolment_id).scalar_subquery()
        connection.execute(update(event_wait).where(event_wait.c.enrolment_id.in_(some)).values(profile_id=owner))
    if scene is not None and staying:
        paused = scene.catalogue.paused
        going_on = load_enrolments(connection, scene.vault, staying)
        advance_all(connection, scene, [(one, Succeeded(one.journey in paused)) for one in going_on.values()])


def _sort_out(connection: Connection, moves: Sequence[Move]) -> tuple[list[int], list[int]]:
    """Of the runs under way, those that change hands and go on, and those that end: of two people's runs of the same
    journey and key the one goes on that was entered earlier (tie: the smaller id), whoever the survivor is.
    """
    new_owner = {(move.old, move.first): move.new for move in moves}
    columns = (
        enrolment.c.id,
        enrolment.c.uid,
        enrolment.c.profile_id,
        enrolment.c.origin_profile_id,
        enrolment.c.journey,
        enrolment.c.key,
    )
    people = sorted({move.old for move in moves} | {move.new for move in moves})
    rows = [
        row
        for some in batches(people, _BATCH)
        for row in connection.execute(
            select(*columns)
            .where(enrolment.c.profile_id.in_(some), _LIVE)
            .order_by(enrolment.c.entered_at, enrolment.c.uid)
        )
    ]
    changing = {
        row.id: owner
        for row in rows
        if (owner := new_owner.get((row.profile_id, row.origin_profile_id or row.profile_id))) is not None
    }
    first: dict[tuple[int, str, str], int] = {}
    staying: list[int] = []
    surplus: list[int] = []
    for row in rows:
        place = (changing.get(row.id, row.profile_id), row.journey, row.key)
        if first.setdefault(place, row.profile_id) != row.profile_id:
            surplus.append(row.id)
        elif row.id in changing:
            staying.append(row.id)
    return staying, surplus
