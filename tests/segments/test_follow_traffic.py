"""The law of following: after each tick a membership is what the rule says, and each change was told once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from core.database import Database
from core.runtime import Runtime
from customers.tables import ProfileStatus, customer_event, profile
from customers.workspace import get_workspace
from segments.compiling.compiler import compile_rule
from segments.definition import load_segments, rules_of
from segments.following import follow
from segments.following.faults import list_faults
from segments.membership import count_members, members
from segments.membership_writes import ENTERED, LEFT
from segments.refresh import refresh_all
from segments.tables import segment_refresh
from tests.segments.traffic import SEGMENTS, Traffic, open_shop

TURNS = 40


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    opened = open_shop(database, tmp_path)
    yield opened
    opened.vault.close()


def follow_to_the_end(runtime: Runtime, traffic: Traffic, limit: int) -> None:
    for _ in range(500):
        if not follow(runtime, traffic.now, limit=limit).behind:
            return
    pytest.fail("the tick never came to an end")


def assert_right(runtime: Runtime, traffic: Traffic, done: list[str]) -> None:
    with runtime.database.read() as connection:
        workspace, rules = get_workspace(connection), rules_of(load_segments(connection))
        for slug, rule in rules.items():
            query = compile_rule(rule, now=traffic.now, workspace=workspace, segments=rules, vault=runtime.vault)
            expected = list(connection.scalars(query))
            assert members(connection, slug) == expected, (slug, traffic.now, done[-12:])
            row = connection.execute(select(segment_refresh).where(segment_refresh.c.segment == slug)).one()
            assert row.member_count == count_members(connection, slug), slug
        assert list_faults(connection) == []


def assert_no_flaps(runtime: Runtime) -> None:
    """Entered and left take turns, for each person and segment, and end with how it stands."""
    told: dict[tuple[str, int], list[str]] = defaultdict(list)
    event = customer_event.c
    with runtime.database.read() as connection:
        erased = set(connection.scalars(select(profile.c.id).where(profile.c.status == ProfileStatus.ERASED.value)))
        moves = event.name.in_((ENTERED, LEFT))
        for row in connection.execute(select(customer_event).where(moves).order_by(event.id)):
            owner = row.origin_profile_id or row.profile_id  # a merge moves the events of the merged one
            told[(row.properties["segment"], owner)].append(row.name)
        for (slug, who), names in told.items():
            assert names == [ENTERED, LEFT] * (len(names) // 2) + [ENTERED] * (len(names) % 2), (slug, who, names)
            assert who in erased or (who in members(connection, slug)) == (names[-1] == ENTERED)


@pytest.mark.parametrize("seed", range(2))
def test_members_are_right_after_each_tick_when_everything_happens(runtime: Runtime, tmp_path: Path, seed: int) -> None:
    traffic = Traffic(runtime, tmp_path, seed)
    done: list[str] = []
    for turn in range(TURNS):
        traffic.pass_time()
        done.append(str(traffic.now))
        done += [traffic.do_something() for _ in range(6)]
        if turn % 7 == 3:  # somebody asks for a refresh by hand, of some of them
            refresh_all(runtime, only=sorted(SEGMENTS)[turn % 3 :: 3], now=traffic.now)
        follow_to_the_end(runtime, traffic, limit=(5, 2_000)[turn % 2])
        assert_right(runtime, traffic, done)
    assert_no_flaps(runtime)
    assert traffic.count_people() > 10
    assert [one for one in done if "busy" in one] == []
