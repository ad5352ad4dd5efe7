"""People whose data is restricted, or who objected: they stand still, or go on without marketing, until that ends."""

from __future__ import annotations

import pytest

from console.rights.erasure import erase_profile
from console.rights.replay import replay_erasures
from console.rights.restriction import lift_objection, lift_restriction, record_objection, restrict
from core.errors import ConflictError
from customers.rights import Right, list_requests
from recommender.eligibility import Withheld, find_barred
from segments.compiling.compiler import Reach
from segments.definition import load_segments, rules_of
from segments.language.rules import SegmentRule
from segments.membership import matching, members
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Town

JOURNEY = """\
journey: welcome
enter: {event: signed_up}
goal: {event: profile_completed, within: 30d}
steps:
  - {id: hello, email: letter, topic: marketing}
  - {id: nap, wait: 2d}
  - {id: news, email: letter, topic: marketing}
"""
WAITING = """\
journey: patient
enter: {event: signed_up}
steps:
  - {id: look, wait_for: {event: visited}, timeout: 10d}
  - {id: thanks, email: letter, topic: marketing}
"""
ORDER = """\
journey: order
enter: {event: signed_up}
steps:
  - {id: confirm, email: letter, topic: orders, kind: transactional, if: {attribute: tier, is: gold}}
  - {id: offer, email: letter, topic: marketing}
"""
SEGMENT = "segment: gold\nwho:\n  - {attribute: tier, is: gold}\n"


def ask(town: Town, verb: object, name: str) -> None:
    assert callable(verb)
    verb(town.runtime, town.workspace, town.people[name], requested_by="letter", now=town.clock.now())


def test_a_restricted_person_stands_still_and_goes_on_when_it_is_lifted(town: Town) -> None:
    town.person("alice")
    town.journey(JOURNEY)
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T00:00")
    assert town.sends() == [("2026-06-01T08:00", "hello")]
    ask(town, restrict, "alice")
    town.log("profile_completed", "alice", key="goal")  # is stored
    for _ in range(3):
        town.work()
    town.clock.move_to(town.clock.now().replace(day=20))
    assert town.work().is_idle
    assert town.sends() == [("2026-06-01T08:00", "hello")]
    assert town.runs("alice") == [("active", None)], "it waits, and has not ended"
    assert town.due("alice") == "2026-06-03T08:00"

    ask(town, lift_restriction, "alice")
    town.work()
    assert town.sends() == [("2026-06-01T08:00", "hello"), ("2026-06-20T00:00", "news")]
    assert town.runs("alice") == [("ended", "completed")]
    assert town.enrolments("alice")[0].goal_at is not None, "what came meanwhile counts"


def test_an_event_that_came_meanwhile_ends_the_wait_when_the_restriction_is_lifted(town: Town) -> None:
    town.person("alice")
    town.journey(WAITING)
    town.log("signed_up", "alice")
    town.work()
    ask(town, restrict, "alice")
    town.run_until("2026-06-02T08:00")
    town.log("visited", "alice", page="kettles")
    town.run_until("2026-06-03T08:00")
    assert town.sends() == []
    ask(town, lift_restriction, "alice")
    town.work()
    assert town.sends() == [("2026-06-03T08:00", "thanks")]


def test_a_message_that_falls_due_is_dropped_and_nobody_enters_when_restricted(make_town: MakeTown) -> None:
    town = make_town()
    town.person("alice")
    town.journey(
        JOURNEY.replace("topic: marketing}\n  - {id: nap", "topic: marketing, send_at: '18:00'}\n  - {id: nap")
    )
    town.log("signed_up", "alice")
    town.work()
    ask(town, restrict, "alice")
    town.run_until("2026-06-02T08:00")
    (message,) = town.messages("alice")
    assert (message.status, message.reason) == ("skipped", "restricted")
    town.journey(WAITING)
    town.log("signed_up", "alice", key="again")
    town.work()
    assert "restricted" in town.refusals("alice")
    assert any("used for nothing" in line for line in town.story("alice", "patient"))


def test_marketing_stops_and_orders_go_on_when_somebody_objected(town: Town) -> None:
    town.person("alice", tier="gold")
    town.journey(ORDER)
    ask(town, record_objection, "alice")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    kinds = {row.step: (row.status, row.reason) for row in town.messages("alice")}
    assert kinds == {"confirm": ("sent", None), "offer": ("skipped", "objected")}


@pytest.mark.parametrize(("take", "lift"), [(restrict, lift_restriction), (record_objection, lift_objection)])
def test_segments_are_left_at_once_and_entered_again_when_it_is_lifted(town: Town, take: object, lift: object) -> None:
    town.person("alice", tier="gold")
    town.person("bob", tier="gold")
    town.publish("segment", SEGMENT)
    town.refresh_segments()

    def inside() -> list[int]:
        with town.runtime.database.read() as connection:
            return members(connection, "gold")

    assert inside() == [town.people["alice"], town.people["bob"]]
    ask(town, take, "alice")
    assert inside() == [town.people["bob"]]
    town.refresh_segments()
    assert inside() == [town.people["bob"]]
    ask(town, lift, "alice")
    town.refresh_segments()
    assert inside() == [town.people["alice"], town.people["bob"]]


def test_nothing_is_recommended_to_the_restricted_and_those_who_objected(town: Town) -> None:
    for name in ("alice", "bob", "carol"):
        town.person(name)
    ask(town, restrict, "alice")
    ask(town, record_objection, "bob")
    with town.runtime.database.read() as connection:
        barred = find_barred(connection, list(town.people.values()))
    assert barred == {town.people["alice"]: Withheld.NO_PROFILE, town.people["bob"]: Withheld.OBJECTED}


def test_doing_it_twice_is_refused_and_each_stands_in_the_register(town: Town) -> None:
    town.person("alice")
    for take, lift in ((restrict, lift_restriction), (record_objection, lift_objection)):
        with pytest.raises(ConflictError, match="nothing to lift"):
            ask(town, lift, "alice")
        ask(town, take, "alice")
        with pytest.raises(ConflictError, match=r"already|before"):
            ask(town, take, "alice")
        ask(town, lift, "alice")
    with town.runtime.database.read() as connection:
        kinds = {one.kind for one in list_requests(connection)}
    assert kinds == {Right.RESTRICT, Right.UNRESTRICT, Right.OBJECT, Right.UNOBJECT}


def test_the_run_has_ended_and_nothing_moves_any_more_when_somebody_is_erased(town: Town) -> None:
    town.person("alice")
    town.journey(JOURNEY)
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T00:00")
    erase_profile(town.runtime, town.people["alice"], requested_by="letter", now=town.clock.now())
    assert town.runs("alice") == [("ended", "erased")]
    assert town.kinds("alice")[-1] == "ended"
    assert town.due("alice") is None
    town.run_until("2026-06-30T00:00")
    assert town.runs("alice") == [("ended", "erased")]
    assert town.sends() == [("2026-06-01T08:00", "hello")]
    assert replay_erasures(town.runtime, town.clock.now()) == 0


def test_a_rule_for_service_finds_those_who_objected_but_in_no_segment(town: Town) -> None:
    town.person("alice", tier="gold")
    town.person("bob", tier="gold")
    town.publish("segment", SEGMENT)
    ask(town, record_objection, "alice")
    alice, bob = town.people["alice"], town.people["bob"]
    with town.runtime.database.read() as connection:
        segments = rules_of(load_segments(connection))
        found = {
            (name, reach): matching(
                connection, rule, [alice, bob], town.clock.now(), town.workspace, segments=segments, reach=reach
            )
            for name, rule in {"tier": segments["gold"], "segment": SegmentRule("gold")}.items()
            for reach in Reach
        }
    assert found == {
        ("tier", Reach.MARKETING): {bob},
        ("tier", Reach.SERVICE): {alice, bob},
        ("segment", Reach.MARKETING): {bob},
        ("segment", Reach.SERVICE): {bob},
    }
