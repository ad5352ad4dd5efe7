"""A test inside one message: who gets which template, and that everybody keeps it."""

from __future__ import annotations

from sqlalchemy import select

from journeys.tables import assignment
from tests.journeys.test_flow import emitted
from tests.journeys.town import MAIL, Town

TEST = """
journey: test
enter: {event: signed_up}
defaults: {topic: marketing}
steps:
  - id: hello
    email: {split: {plain: plain, warm: {template: warm, weight: 1, with: {tone: warm}}}}
    on_error: [{emit: gave_up}]
  - {if: {branch: hello, is: warm}, emit: was_warm}
  - {if: {message: hello, was: sent}, emit: was_sent}
"""


def publish(town: Town, text: str) -> None:
    for name in ("plain", "warm"):
        town.template(name, MAIL)
    town.journey(text)


def test_everybody_keeps_the_template_of_the_first_time_when_the_weights_change(town: Town) -> None:
    names = [f"p{number}" for number in range(10)]
    for name in names:
        town.person(name)
    publish(town, TEST)
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    publish(town, TEST.replace("weight: 1", "weight: 0"))
    town.run_until("2026-06-02T08:00")
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    for name in names:
        first, second = town.messages(name)
        assert (first.template, first.variant) == (second.template, second.variant)
        assert emitted(town, name).count("was_warm") == (2 if first.template == "warm" else 0)
        assert emitted(town, name).count("was_sent") == 2
    assert {town.messages(name)[0].template for name in names} == {"plain", "warm"}
    with town.runtime.database.read() as connection:
        assert set(connection.scalars(select(assignment.c.test))) == {"test/hello"}


def test_the_same_template_is_tried_again_when_composing_failed(town: Town) -> None:
    """Scenario 59 for a test: three more attempts, all with the arm of the first."""
    town.person("alice")
    town.broken = lambda _row: "render_error"
    publish(town, TEST)
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T09:00")
    assert len(town.messages("alice")) == 4
    assert len({row.template for row in town.messages("alice")}) == 1
    assert "gave_up" in emitted(town, "alice")
