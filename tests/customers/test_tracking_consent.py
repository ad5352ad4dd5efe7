from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from core.database import Database
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.tables import profile
from customers.tracking_consent import OpenTracking, open_rule, open_tracking
from customers.workspace import Workspace
from tests.customers.conftest import NOW, WORKSPACE

INDIVIDUAL, AGGREGATE, OFF = OpenTracking.INDIVIDUAL, OpenTracking.AGGREGATE, OpenTracking.OFF
ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
PEOPLE = {ALICE: "alice", BOB: "bob", CAROL: "carol", DAVE: "dave"}
RULE = {"default": "individual", "countries": {"DE": "aggregate", "FR": "off"}}


def workspace(opens: Any = None, country: str | None = "GB") -> Workspace:
    return replace(WORKSPACE, tracking={} if opens is None else {"opens": opens}, country=country)


def add_people(database: Database) -> None:
    """Alice lives in Britain, Bob in Germany, Carol in France; nobody knows where Dave does."""
    countries = {ALICE: "GB", BOB: "DE", CAROL: "FR", DAVE: None}
    with database.transaction() as connection:
        rows = [{"id": one, "created_at": NOW, "updated_at": NOW, "country": land} for one, land in countries.items()]
        connection.execute(insert(profile), rows)


def say(database: Database, who: str, status: ConsentStatus) -> None:
    basis = Basis.OPT_IN if status is ConsentStatus.GRANTED else None
    entry = NewConsent(who, "tracking", "email", status, basis, "form", NOW, None, f"{who}:{status}")
    with database.transaction() as connection:
        record_consents(connection, [entry], NOW)


def found(database: Database, opens: Any, country: str | None = "GB") -> dict[int, OpenTracking]:
    with database.read() as connection:
        return open_tracking(connection, workspace(opens, country), PEOPLE, NOW)


@pytest.mark.parametrize("word", ["individual", "aggregate", "off"])
def test_everybody_is_tracked_alike_when_the_workspace_says_one_word(database: Database, word: str) -> None:
    add_people(database)
    assert set(found(database, word).values()) == {OpenTracking(word)}


def test_the_country_decides_when_the_workspace_says_so(database: Database) -> None:
    add_people(database)
    assert found(database, RULE) == {ALICE: INDIVIDUAL, BOB: AGGREGATE, CAROL: OFF, DAVE: INDIVIDUAL}
    assert found(database, RULE, country="FR")[DAVE] is OFF


def test_a_persons_own_word_decides_when_it_differs_from_the_countrys(database: Database) -> None:
    add_people(database)
    say(database, "alice", ConsentStatus.WITHDRAWN)
    say(database, "carol", ConsentStatus.GRANTED)
    assert found(database, RULE) == {ALICE: OFF, BOB: AGGREGATE, CAROL: INDIVIDUAL, DAVE: INDIVIDUAL}


def test_nothing_is_measured_when_somebody_objected(database: Database) -> None:
    add_people(database)
    say(database, "alice", ConsentStatus.GRANTED)
    with database.transaction() as connection:
        connection.execute(update(profile).where(profile.c.id == ALICE).values(objected_at=NOW - timedelta(days=1)))
    assert found(database, None)[ALICE] is OFF


def test_opens_are_individual_everywhere_only_when_no_country_differs() -> None:
    assert open_rule(workspace()).is_individual_everywhere
    assert open_rule(workspace({"default": "individual"})).is_individual_everywhere
    assert not open_rule(workspace(RULE)).is_individual_everywhere
