"""Why somebody is not in a journey, for every reason that there is."""

from __future__ import annotations

from core.definitions import withdraw
from journeys.admission import Refusal
from journeys.why_not import Why, why_not
from tests.journeys.town import Town

STEPS = "\nsteps: [{id: rest, wait: 30d}]\n"


def reasons(town: Town, person: str, journey: str = "x") -> list[tuple[str, str]]:
    """(what it is about, or the refusal's code; the sentence)."""
    with town.runtime.database.read() as connection:
        _story, found = why_not(connection, town.runtime.vault, town.workspace, town.people[person], journey)
    return [(one.code or one.why.value, one.text) for one in found]


def test_it_says_so_when_somebody_never_met_the_event_or_the_segment(town: Town) -> None:
    town.person("alice")
    town.publish("segment", "segment: gold\nwho: [{attribute: tier, is: gold}]\n")
    town.journey("journey: x\nenter: [{event: signed_up}, {segment: gold}]" + STEPS)
    town.refresh_segments()
    town.work()
    assert reasons(town, "alice") == [
        (Why.NEVER_CAME, "never met signed_up, by which people come in"),
        (Why.NEVER_CAME, "never was in the segment gold; `postilion segments explain '#1' gold` says why"),
    ]


def test_what_was_found_stands_beside_what_is_wanted_when_an_event_did_not_fit(town: Town) -> None:
    town.person("alice", timezone="Europe/Berlin")
    town.journey("journey: x\nenter: {event: signed_up, where: {source: {in: [web, app]}}}" + STEPS)
    town.log("signed_up", "alice", source="fair")
    town.log("signed_up", "alice")
    town.work()
    at = "the event signed_up of Mon 1 Jun 2026, 10:00 did not fit: source"
    assert reasons(town, "alice") == [
        (Why.DID_NOT_FIT, f"{at} is missing, and the file wants that it is one of web, app"),
        (Why.DID_NOT_FIT, f"{at} was fair, and the file wants that it is one of web, app"),
    ]


def test_events_from_before_and_imported_ones_are_named_when_they_let_nobody_in(town: Town) -> None:
    town.person("alice")
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T09:00")
    town.journey("journey: x\nenter: {event: signed_up}" + STEPS)
    town.run_until("2026-06-01T10:00")
    town.log("signed_up", "alice", historical=True)
    town.work()
    before, imported = reasons(town, "alice")
    live = "was before the journey went live (Mon 1 Jun 2026, 09:00)"
    assert before == (Why.BEFORE, f"the event signed_up of Mon 1 Jun 2026, 08:00 {live}")
    assert imported[0] == Why.HISTORICAL


def test_the_backfill_is_named_when_somebody_was_in_the_segment_before(town: Town) -> None:
    town.person("alice", tier="gold")
    town.publish("segment", "segment: gold\nwho: [{attribute: tier, is: gold}]\n")
    town.refresh_segments()
    town.run_until("2026-06-01T09:00")
    town.journey("journey: x\nenter: {segment: gold}" + STEPS)
    town.work()
    ((why, text),) = reasons(town, "alice")
    assert (why, text) == (
        Why.BEFORE,
        "was in the segment gold since Mon 1 Jun 2026, 08:00 already, and `backfill: true` would let such people in",
    )


def test_each_refusal_is_told_with_what_was_found_when_somebody_was_refused(town: Town) -> None:
    for name in ("alice", "bob", "carol", "dave", "erin", "fred", "gina"):
        town.person(name)
    town.suppress("carol")
    town.journey("journey: x\nenter: {event: signed_up, key: source, if: {attribute: tier, is: gold}}" + STEPS)
    for name in ("alice", "carol", "dave", "erin", "fred", "gina"):
        town.set(name, tier="gold")
    town.log("signed_up", "alice", source="web")
    town.run_until("2026-06-03T08:00")
    town.log("signed_up", "alice", source="web")
    town.log("signed_up", "bob", source="web")
    town.log("signed_up", "carol", source="web")
    town.log("signed_up", "dave", occurred="2026-06-02T07:00", source="web")
    town.log("signed_up", "erin")
    town.erase("fred")
    town.log("signed_up", "fred", source="web")
    town.work()
    at = "did not come in by signed_up: "
    assert reasons(town, "alice")[-1] == (
        Refusal.ACTIVE,
        f"{at}was inside already since Mon 1 Jun 2026, 08:00, and `mode: single` lets nobody in beside",
    )
    assert reasons(town, "bob") == [(Refusal.CONDITION, f"{at}this did not hold then: tier is gold")]
    assert reasons(town, "carol") == [
        (Refusal.SUPPRESSED, f"{at}all addresses are suppressed; `postilion profile '#3'` shows why")
    ]
    late = "it arrived 1 day and 1 hour after it happened, and `max_age` is 24h"
    assert reasons(town, "dave") == [(Refusal.LATE, f"did not come in by signed_up of Tue 2 Jun, 07:00: {late}")]
    assert reasons(town, "erin") == [
        (Refusal.NO_KEY, f"{at}it has no property source, which keeps runs apart"),
    ]
    assert reasons(town, "fred") == [(Refusal.ERASED, f"{at}the profile is not there any more")]


def test_the_runs_before_are_told_when_somebody_may_not_come_again(town: Town) -> None:
    town.person("alice")
    enter, steps = "enter: {event: signed_up}", "\nsteps: [{id: mail, set: {visits: 1}}]\n"
    town.journey(f"journey: once\n{enter}\nreenter: never{steps}")
    town.journey(f"journey: seldom\n{enter}\nreenter: {{every: 90d}}{steps}")
    town.journey(f"journey: twice\n{enter}\nreenter: {{max: 1}}{steps}")
    town.log("signed_up", "alice")
    town.run_until("2026-06-05T08:00")
    town.log("signed_up", "alice")
    town.work()
    at, first = "did not come in by signed_up: ", "Mon 1 Jun 2026, 08:00"
    assert reasons(town, "alice", "once")[1:] == [
        (Refusal.NEVER, f"{at}came in already on {first}, and nobody comes twice (`reenter: never`)")
    ]
    assert reasons(town, "alice", "seldom")[1:] == [
        (
            Refusal.TOO_SOON,
            f"{at}came in last on {first}, and may come again from Sun 30 Aug, 08:00 (`reenter.every: 90d`)",
        )
    ]
    assert reasons(town, "alice", "twice")[1:] == [
        (Refusal.TOO_OFTEN, f"{at}came in once already, and `reenter.max` is 1")
    ]


def test_the_holdout_is_named_when_chance_has_put_somebody_there(town: Town) -> None:
    town.person("alice")
    town.journey("journey: x\nenter: {event: signed_up}\nholdout: 99.99%\ngoal: {event: order_placed}" + STEPS)
    town.log("signed_up", "alice")
    town.work()
    ((why, text),) = reasons(town, "alice")
    assert why == Why.HELD_OUT
    assert "so that the effect can be measured" in text


def test_the_status_of_the_journey_comes_first_when_it_lets_nobody_in(town: Town) -> None:
    town.person("alice")
    town.journey("journey: x\nstatus: draft\nenter: {event: signed_up}" + STEPS)
    town.log("signed_up", "alice")
    town.work()
    assert reasons(town, "alice")[0] == (
        Why.NOT_LIVE,
        "the journey lets nobody in: its file says `status: draft` since Mon 1 Jun 2026, 08:00",
    )
    with town.runtime.database.transaction() as connection:
        withdraw(connection, "journey", "x", town.clock.now())
    why, text = reasons(town, "alice")[0]
    assert why == Why.NOT_LIVE
    assert text.startswith("the journey lets nobody in since Mon 1 Jun 2026, 08:00: it was stopped, or its file was")


def test_nothing_is_said_when_nothing_stands_against_it_yet(town: Town) -> None:
    town.person("alice")
    town.journey("journey: x\nenter: {event: signed_up}" + STEPS)
    town.log("signed_up", "alice")
    assert reasons(town, "alice") == []
    town.work()
    assert [why for why, _text in reasons(town, "alice")] == [Why.INSIDE]


def test_the_time_that_is_left_is_told_when_the_condition_may_still_come_true(town: Town) -> None:
    town.person("alice")
    town.journey("journey: x\nenter: {event: signed_up, if: {attribute: tier, is: gold}, settle: 30m}" + STEPS)
    town.log("signed_up", "alice")
    town.work()
    yet = "the condition of the way in does not hold yet; it is asked at every change of the profile until"
    assert reasons(town, "alice") == [(Why.OPEN, f"{yet} Mon 1 Jun 2026, 08:30")]
    town.run_until("2026-06-01T09:00")
    town.work()
    assert [code for code, _text in reasons(town, "alice")] == [Refusal.CONDITION]
