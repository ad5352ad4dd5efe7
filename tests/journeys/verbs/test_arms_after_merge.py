"""Which arm of a test somebody keeps who turns out to be another, and whom no comparison counts any more."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from journeys.tables import assignment
from tests.journeys.test_succession import join
from tests.journeys.town import Town

SPLIT = """
journey: test
enter: {event: signed_up}
steps:
  - {id: ab, split: {a: {}, b: {}}}
  - {id: rest, wait: 9d}
"""


def arms(town: Town) -> dict[str, Any]:
    names = {number: person for person, number in town.people.items()}
    with town.runtime.database.read() as connection:
        rows = connection.execute(select(assignment).where(assignment.c.test == "test/ab")).all()
    return {names[row.profile_id]: (row.arm, row.is_contaminated) for row in rows}


def people(town: Town) -> tuple[str, str, str]:
    """Two people of one arm and one of the other, who are all in the journey or were."""
    names = [f"p{number}" for number in range(8)]
    for name in names:
        town.person(name, consents=())
    town.journey(SPLIT)
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    mine = [name for name in names if arms(town)[name] == arms(town)["p0"]]
    return mine[0], mine[1], next(name for name in names if arms(town)[name] != arms(town)["p0"])


def test_the_arm_of_the_earlier_run_is_kept_and_marked_when_the_two_had_different_arms(town: Town) -> None:
    one, _, other = people(town)
    before = arms(town)
    names = {town.people[one]: one, town.people[other]: other}
    earlier = min(town.enrolments(one) + town.enrolments(other), key=lambda run: (run.entered_at, run.uid))
    join(town, one, other)
    town.work()
    survivor = next(run for run in town.enrolments(one) if run.end_reason is None)
    assert survivor.id == earlier.id
    assert arms(town)[one] == (before[names[earlier.profile_id]][0], True)
    assert sorted(run.end_reason or "" for run in town.enrolments(one)) == ["", "merged"]


def test_nobody_is_marked_when_both_had_the_same_arm(town: Town) -> None:
    one, same, _ = people(town)
    arm = arms(town)[one]
    join(town, one, same)
    town.work()
    assert arms(town)[one] == arm == (arm[0], False)


def test_the_survivor_gets_the_arm_when_only_the_other_had_one(town: Town) -> None:
    _, _, other = people(town)
    town.person("zoe", consents=())
    join(town, "zoe", other)
    town.work()
    assert arms(town)["zoe"] == (arms(town)[other][0], False)
    (run,) = [one for one in town.enrolments("zoe") if one.end_reason is None]
    assert run.state["answers"]["ab"] == [arms(town)[other][0]]


def test_the_arm_of_the_surviving_profile_is_kept_when_no_run_is_under_way(town: Town) -> None:
    one, _, other = people(town)
    mine = arms(town)[one][0]
    town.run_until("2026-06-12T08:00")
    join(town, one, other)
    town.work()
    assert arms(town)[one] == (mine, True)
