"""Scores are kept under a name, and only people whose number is another are touched."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from core.database import Database
from core.errors import InputError, NotFoundError
from customers.tables import profile, profile_touch
from insights.scores import (
    Score,
    ScoresRecorded,
    find_score,
    forget_score,
    get_score,
    list_score_names,
    record_scores,
)
from tests.segments.people import NOW, profile_row

DAY = timedelta(days=1)
ALICE, BOB, CAROL = 1, 2, 3


@pytest.fixture(autouse=True)
def people(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in (ALICE, BOB, CAROL)])


def touched(database: Database) -> list[tuple[int, int]]:
    with database.read() as connection:
        query = select(profile_touch.c.first_id, profile_touch.c.last_id).order_by(profile_touch.c.id)
        return [(first, last) for first, last in connection.execute(query)]


def test_a_score_has_its_value_and_date_when_it_was_recorded(database: Database) -> None:
    with database.transaction() as connection:
        assert record_scores(connection, "churn", iter([(ALICE, 0.25), (BOB, 1)]), NOW) == ScoresRecorded(2, 2)
    with database.read() as connection:
        assert get_score(connection, "churn", ALICE) == Score("churn", 0.25, NOW)
        assert str(get_score(connection, "churn", BOB)) == "1, as of 2026-06-10 08:00 UTC"
        assert find_score(connection, "churn", CAROL) is None
        assert find_score(connection, "value", ALICE) is None
        with pytest.raises(NotFoundError, match="profile 3 has no score 'churn'"):
            get_score(connection, "churn", CAROL)


def test_only_those_with_another_number_are_touched_when_scores_are_recorded_again(database: Database) -> None:
    with database.transaction() as connection:
        record_scores(connection, "churn", [(ALICE, 0.25), (BOB, 0.5), (CAROL, 0.75)], NOW)
    with database.transaction() as connection:
        again = [(ALICE, 0.25), (BOB, 0.5), (CAROL, 0.7)]
        assert record_scores(connection, "churn", again, NOW + DAY) == ScoresRecorded(3, 1)
    assert touched(database) == [(ALICE, CAROL), (CAROL, CAROL)]
    with database.read() as connection:
        assert get_score(connection, "churn", ALICE).computed_at == NOW + DAY


def test_everybody_who_had_it_is_touched_when_a_score_is_forgotten(database: Database) -> None:
    with database.transaction() as connection:
        record_scores(connection, "churn", [(ALICE, 0.25), (CAROL, 0.5)], NOW)
        record_scores(connection, "value", [(BOB, 100)], NOW)
        assert list_score_names(connection) == ["churn", "value"]
        assert forget_score(connection, "churn") == 2
        assert forget_score(connection, "churn") == 0
        assert list_score_names(connection) == ["value"]
    assert touched(database)[-2:] == [(ALICE, ALICE), (CAROL, CAROL)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_is_refused_when_it_is_no_finite_number(database: Database, value: float) -> None:
    with database.transaction() as connection, pytest.raises(InputError, match="a score is a finite number"):
        record_scores(connection, "churn", [(ALICE, value)], NOW)
