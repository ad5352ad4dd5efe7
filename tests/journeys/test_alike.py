"""Those who stand alike are moved together, and it shows nowhere: what is written is what is written of each alone."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Table, select

from journeys import alike
from journeys.alike import _Group, _take_step
from journeys.answers import Scene
from journeys.tables import enrolment, event_wait, journal, timer
from journeys.transition import Asked, Transition
from tests.journeys.town import Town

LIFE = """
journey: {name}
enter: {{event: signed_up}}
steps:
  - {{id: begin, wait: 1h}}
  - {{id: night, wait_until: {{time: "08:00"}}}}
  - id: arm
    seed: same
    split:
      slow: {{weight: 50, then: [{{id: two_days, wait: 2d}}]}}
      quick: {{weight: 50, then: [{{id: one_day, wait: 1d}}]}}
  - id: answer
    wait_for: {{event: profile_completed}}
    timeout: 3d
    on_timeout: [{{id: late, wait: 1h}}]
  - id: gold
    choose:
      - {{name: gold, if: {{attribute: tier, is: gold}}, then: [{{id: treat, wait: 30m}}]}}
  - id: letter
    email: hello
    topic: marketing
  - {{id: rest, wait: 1d}}
"""
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Mars/Base")
PEOPLE = 24


@pytest.fixture
def taken_together(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that were taken by many at once: those of the journey `together`, by two people or more."""
    taken: list[str] = []

    def take_step(scene: Scene, group: _Group) -> Transition | Asked | None:
        example = group.members[0].stored
        step = _take_step(scene, group) if example.version[0] == "together" else None
        if isinstance(step, Transition):
            taken.append(str(example.read().step))
        return step

    monkeypatch.setattr(alike, "_FEW", 2)
    monkeypatch.setattr(alike, "_take_step", take_step)
    return taken


def rows(town: Town, table: Table, journey: str) -> list[str]:
    """All rows of a journey, by person, without what names the enrolment or its message."""
    own = ("id", "uid", "journey", "enrolment_id", "sealed_state")
    columns = [column for column in table.c if column.name not in own]
    of = (table.c.id if table is enrolment else table.c.enrolment_id) == enrolment.c.id
    query = select(enrolment.c.profile_id, *columns).where(of, enrolment.c.journey == journey)
    with town.runtime.database.read() as connection:
        return sorted(
            re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "…", repr(tuple(row)))
            for row in connection.execute(query)
        )


def test_everything_is_written_as_of_each_alone_when_many_are_moved_together(
    town: Town, taken_together: list[str]
) -> None:
    for name in ("together", "apart"):
        town.journey(LIFE.format(name=name))
    for number in range(PEOPLE):
        tier = "gold" if number % 3 else "tin"
        town.person(f"p{number}", timezone=ZONES[number % len(ZONES)], tier=tier)
    town.log_many([("signed_up", f"p{number}", {"source": "site"}) for number in range(PEOPLE)])
    for instant in ("2026-06-02T07:00", "2026-06-04T09:00", "2026-06-05T09:00", "2026-06-12T00:00"):
        town.run_until(instant)
        for table in (enrolment, journal, timer, event_wait):
            assert rows(town, table, "together") == rows(town, table, "apart"), (table.name, instant)
        if instant == "2026-06-04T09:00":
            town.log_many([("profile_completed", f"p{number}", {}) for number in range(0, PEOPLE, 5)])
    assert {"begin", "one_day", "two_days", "late"} <= set(taken_together)
    assert len(town.sent) == 2 * PEOPLE


def test_a_step_that_looks_at_the_person_is_not_taken_for_all_when_many_stand_before_it(
    town: Town, taken_together: list[str]
) -> None:
    town.journey(LIFE.format(name="together"))
    for number in range(PEOPLE):
        town.person(f"p{number}")
    town.log_many([("signed_up", f"p{number}", {"source": "site"}) for number in range(PEOPLE)])
    town.run_until("2026-06-12T00:00")
    assert "night" not in taken_together  # a split follows it, drawn by the person's id
    assert "treat" not in taken_together  # a letter follows it
    assert len(town.sent) == PEOPLE


def test_nothing_can_be_read_from_a_stand_in_when_a_step_tries() -> None:
    own = alike._OWN
    for read in (str, repr, hash, len, bool, int, iter, lambda it: it + 1, lambda it: 1 - it, lambda it: it < 1,
                 lambda it: it == 1, lambda it: it.isoformat(), lambda it: f"{it}", dict):  # fmt: skip
        with pytest.raises(alike._OwnAffairError):
            read(own)
