"""What is read at the moment of use, not at that of queueing: the workspace's rules, segments and offers."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import MakeTown
from tests.journeys.sending.words import HEAD, endings, one_mail
from tests.journeys.town import WORKSPACE, Town

NIGHT = "quiet_hours: {from: '22:00', to: '08:00'}\n"
LONGER = "quiet_hours: {from: '22:00', to: '10:00'}\n"
ONE_A_DAY = "limits: [{messages: 1, per: 24h}]\n"


def enter(town: Town, text: str) -> None:
    town.person("alice", tier="gold")
    town.journey(text)
    town.log("signed_up", "alice")
    town.work()


@pytest.mark.parametrize(
    ("before", "after", "ending"),
    [
        (NIGHT, LONGER, "2026-06-02T10:00"),  # they last longer now
        (NIGHT, "", "2026-06-02T08:00"),  # nobody looks before the end that was told
        (NIGHT, LONGER.replace("}", ", then: drop}"), None),
        (NIGHT, NIGHT + "limits: [{messages: 0, per: 24h}]\n", None),
    ],
)
def test_a_held_message_is_judged_by_the_workspace_in_force_when_its_hold_ends(
    make_town: MakeTown, before: str, after: str, ending: str | None
) -> None:
    town = make_town("2026-06-01T23:00", WORKSPACE + before)
    enter(town, one_mail())
    town.publish("workspace", WORKSPACE + after)
    town.run_until("2026-06-03T00:00")
    assert town.sends() == ([(ending, "first")] if ending else [])


def test_a_message_that_waits_for_its_hour_is_held_by_quiet_hours_that_came_later(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T12:00")
    enter(town, f"journey: late\n{HEAD}steps: [{{id: first, email: one, send_at: '23:00'}}]\n")
    town.publish("workspace", WORKSPACE + NIGHT)
    town.run_until("2026-06-03T00:00")
    assert town.sends() == [("2026-06-02T08:00", "first")]


def test_a_journeys_own_hours_stay_those_of_its_version_when_the_workspace_changes(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00", WORKSPACE)
    enter(town, one_mail("quiet_hours: {from: '22:00', to: '07:00'}\n"))
    town.publish("workspace", WORKSPACE + LONGER)
    town.run_until("2026-06-03T00:00")
    assert town.sends() == [("2026-06-02T07:00", "first")]


def test_the_journal_tells_which_workspace_had_its_say(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00", WORKSPACE + NIGHT)
    enter(town, one_mail())
    published = town.publish("workspace", WORKSPACE + LONGER).published
    town.run_until("2026-06-03T00:00")
    (told,) = [entry.data["used"] for entry in town.entries("alice") if "used" in entry.data]
    assert told == {"workspace": published.content_hash[:8]}


def test_a_limit_of_the_workspace_counts_what_was_sent_before_it_was_there(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T12:00")
    enter(town, f"journey: two\n{HEAD}steps: [{{id: a, email: one}}, {{id: w, wait: 3h}}, {{id: b, email: two}}]\n")
    town.publish("workspace", WORKSPACE + ONE_A_DAY)
    town.run_until("2026-06-03T00:00")
    assert town.sends() == [("2026-06-01T12:00", "a")]
    assert endings(town) == [("sent", None), ("skipped", "cap")]


def test_the_journal_tells_which_segments_decided(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T12:00")
    inner = town.publish("segment", "segment: golden\nwho: {attribute: tier, is: gold}\n").published
    outer = town.publish("segment", "segment: best\nwho: {segment: golden}\n").published
    enter(
        town,
        f"journey: two\n{HEAD}steps: [{{id: w, wait: 3h}}, {{id: c, choose: [{{if: {{segment: best}}, then: "
        "[{id: a, email: one}]}]}, {id: m, if: {segment: golden}, email: two}]\n"
        "exit: [{all: [{segment: golden}, {attribute: tier, is: tin}]}]\n",
    )
    changed = town.publish("segment", "segment: golden\nwho: {attribute: tier, is: {in: [gold, tin]}}\n").published
    town.run_until("2026-06-01T18:00")
    used = {entry.data.get("step"): entry.data["used"] for entry in town.entries("alice") if "used" in entry.data}
    assert inner.content_hash != changed.content_hash
    assert used["c"] == {"segment/best": f"{outer.content_hash[:8]}+{changed.content_hash[:8]}"}
    assert used["m"] == {"segment/golden": changed.content_hash[:8]}
    assert "w" not in used
