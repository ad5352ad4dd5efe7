"""How often a journey wants to know who is in its segment."""

from __future__ import annotations

from datetime import timedelta

from core.located import load_yaml
from journeys.catalogue import get_catalogue
from journeys.definition import parse_journey
from journeys.rhythms import read_rhythms, rhythms_of
from tests.journeys.conftest import MakeTown

SEGMENT = "segment: lapsed\nwho: {attribute: tier, is: gold}\n"


def journey(name: str, every: str, more: str = "") -> str:
    return f"journey: {name}\nenter: {{segment: lapsed, check_every: {every}}}\nsteps: [{{id: w, wait: 1d}}]\n{more}"


def test_the_shortest_rhythm_of_those_that_let_people_in_counts(make_town: MakeTown) -> None:
    town = make_town()
    town.publish("segment", SEGMENT)
    town.journey(journey("slow", "1d"))
    town.journey(journey("quick", "10m"))
    town.journey(journey("quickest", "5m", "status: paused\n"))
    town.journey("journey: any\nenter: {segment: lapsed}\nsteps: [{id: w, wait: 1d}]\n")
    assert read_rhythms(town.runtime) == {"lapsed": timedelta(minutes=10)}
    with town.runtime.database.read() as connection:
        assert rhythms_of(get_catalogue(connection)) == {"lapsed": timedelta(minutes=10)}


def test_nobody_is_asked_more_often_than_once_a_minute() -> None:
    located, _ = load_yaml(journey("eager", "30s").encode(), "eager.yaml")
    assert located is not None
    _, faults = parse_journey(located, "eager.yaml")
    assert [str(fault).partition(",")[0] for fault in faults] == [
        "eager.yaml:2:39: E103 nobody is asked more often than once a minute"
    ]
