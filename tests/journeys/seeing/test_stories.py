"""Twenty stories as a marketer would read them: what became of a person, why, and what is to be done about it.

The golden pages are the test: each has the journey's way with one person, and what `why-not` answers.
"""

from __future__ import annotations

from collections.abc import Callable

from core.definitions import withdraw
from customers.consent import ConsentStatus
from customers.merge_rows import MergeCause
from customers.merges import merge
from journeys.migration import migrate
from journeys.stopping import stop_journey
from journeys.why_not import why_not
from tests.journeys.conftest import MakeTown
from tests.journeys.seeing.test_explaining import told
from tests.journeys.town import Town

Golden = Callable[[str, str], None]

NIGHT = 'quiet_hours: {from: "22:00", to: "08:00"}\n'
HEAD = "enter: {event: signed_up}\ndefaults: {topic: marketing}\n"


def page(town: Town, person: str, journey: str) -> str:
    """The story, and the reasons below it."""
    with town.runtime.database.read() as connection:
        _story, reasons = why_not(connection, town.runtime.vault, town.workspace, town.people[person], journey)
    answers = [f"  why not: {one.text[:1].upper()}{one.text[1:]}." for one in reasons]
    return f"{journey}: {told(town, person, journey)}" + "".join(f"{line}\n" for line in answers)


def test_messages_that_were_held_or_left_out_are_told_with_their_cause(make_town: MakeTown, golden: Golden) -> None:
    limits = "limits: [{messages: 1, per: 24h, scope: workspace, then: wait}]\n"
    town = make_town("2026-06-01T20:30")
    for name in ("alice", "bob", "carol", "dave", "erin", "fred"):
        town.person(name, timezone="Europe/Berlin", email=name != "dave")
    town.consent("bob", "email.marketing", ConsentStatus.WITHDRAWN)
    town.suppress("carol")
    town.person("gina", timezone=None)
    mail = "steps: [{id: letter, email: letter}, {id: rest, wait: 3d}, {id: more, email: more}]\n"
    town.journey(f"journey: night\n{HEAD}{NIGHT}{mail}")
    town.journey(f"journey: lapsing\n{HEAD}{NIGHT}steps: [{{id: letter, email: letter, expires_after: 3h}}]\n")
    town.journey(f"journey: dropping\n{HEAD}{NIGHT.replace('}', ', then: drop}')}{mail}")
    town.journey(f"journey: placeless\n{HEAD}{NIGHT.replace('}', ', no_timezone: skip}')}{mail}")
    town.journey(f"journey: capped\n{HEAD}{limits}{NIGHT}priority: 10\n{mail}")
    town.journey(f"journey: shut\n{HEAD}closed: [{{name: Fair, from: 2026-06-01, to: 2026-06-03}}]\n{mail}")
    conditional = "steps: [{id: letter, if: {not: {attribute: tier, is: gold}}, email: letter}, {id: rest, wait: 3d}]\n"
    town.journey(f"journey: wanted\n{HEAD}{NIGHT}{conditional}")
    leaving = "exit: [{consent: email.marketing, is: denied}]\n"
    town.journey(f"journey: leaving\n{HEAD}{leaving}{NIGHT}{mail}")
    for name in town.people:
        town.log("signed_up", name)
    town.plan("2026-06-02T00:00", lambda: town.set("erin", tier="gold"))
    town.plan("2026-06-02T00:30", lambda: town.consent("fred", "email.marketing", ConsentStatus.WITHDRAWN))
    town.run_until("2026-06-02T00:10")
    pages = ["-- in the middle of the night\n", page(town, "alice", "night"), page(town, "alice", "capped")]
    town.run_until("2026-06-05T12:00")
    pages.append("-- after three days\n")
    pages += [page(town, name, "night") for name in ("alice", "bob", "carol", "dave", "gina")]
    pages += [page(town, "alice", name) for name in ("lapsing", "dropping", "capped", "shut")]
    pages += [page(town, "gina", "placeless"), page(town, "erin", "wanted"), page(town, "fred", "leaving")]
    golden("journeys/stories_messages.txt", "\n".join(pages))


def test_ways_out_of_a_journey_are_told_with_their_cause(make_town: MakeTown, golden: Golden) -> None:
    town = make_town("2026-06-01T08:00")
    for name in ("alice", "bob", "carol", "dave", "erin"):
        town.person(name, timezone="Europe/Berlin")
    town.broken = lambda row: "render_error" if row.step == "letter" and row.origin == "failing" else None
    failing = "on_error: [{id: sorry, set: {tier: sorry}}]"
    town.journey(
        f"journey: failing\n{HEAD}steps: [{{id: letter, email: letter, {failing}}}, {{id: rest, wait: 30d}}]\n"
    )
    town.journey(f"journey: short\n{HEAD}max_stay: 2d\nsteps: [{{id: rest, wait: 30d}}]\n")
    town.journey(f"journey: stopped\n{HEAD}steps: [{{id: rest, wait: 30d}}]\n")
    town.journey(
        f"journey: measured\n{HEAD}holdout: 99%\ngoal: {{event: visited, within: 2d}}\nsteps: [{{wait: 1d}}]\n"
    )
    arms = "a: {then: [{id: la, email: letter}]}, b: {then: [{id: lb, email: letter}]}"
    reward = "reward: {event: visited, within: 1d}, floor: 10%"
    town.journey(
        f"journey: learning\n{HEAD}steps: [{{id: way, bandit: {{{arms}}}, {reward}}}, {{id: rest, wait: 30d}}]\n"
    )
    weights = "{a: {weight: 30, then: [{id: la, email: letter}]}, b: {weight: 70, then: []}}"
    again = "{id: often, repeat: {max: 2, until: {event: visited, since: entry}, do: [{id: nap, wait: 1d}]}}"
    town.journey(f"journey: various\n{HEAD}steps: [{{id: ab, split: {weights}}}, {again}, {{id: away, goto: z}}, "
                 "{id: skipped, wait: 9d}, {id: z, exit: finished}]\n")  # fmt: skip
    town.journey("journey: moved\nenter: {event: signed_up}\nsteps: [{id: a, wait: 30d}, {id: b, wait: 5d}]\n")
    for name in town.people:
        town.log("signed_up", name)
    town.plan("2026-06-01T20:00", lambda: town.log("visited", "alice"))
    town.plan("2026-06-02T10:00", lambda: town.erase("bob"))
    town.plan("2026-06-02T12:00", lambda: join(town, "dave", "carol"))
    town.run_until("2026-06-03T10:00")
    stop_journey(town.runtime, "stopped", town.clock.now())
    town.journey("journey: moved\nenter: {event: signed_up}\nsteps: [{id: b, wait: 20d}]\nmigrate: {removed: {a: b}}\n")
    migrate(town.runtime, "moved", town.clock.now())
    town.log("signed_up", "erin")
    town.run_until("2026-06-05T10:00")
    journeys = ("failing", "short", "stopped", "measured", "learning", "various", "moved")
    pages = [page(town, "alice", name) for name in journeys]
    pages += [page(town, "bob", "short"), page(town, "carol", "short"), page(town, "dave", "short")]
    pages += [page(town, "erin", "stopped"), page(town, "erin", "short")]
    golden("journeys/stories_endings.txt", "\n".join(pages))


def join(town: Town, survivor: str, merged: str) -> None:
    runtime = town.runtime
    with runtime.database.transaction() as connection:
        merge(
            connection, runtime.vault, town.workspace, town.people[survivor], town.people[merged],
            cause=MergeCause.MANUAL, source="test", now=town.clock.now(),
        )  # fmt: skip


def test_everybody_who_is_not_inside_is_told_why(make_town: MakeTown, golden: Golden) -> None:
    town = make_town("2026-06-01T08:00")
    for name in ("alice", "bob", "carol", "dave", "erin", "fred", "gina", "hans"):
        town.person(name, timezone="America/New_York")
    town.suppress("carol")
    town.publish("segment", "segment: gold\nwho: [{attribute: tier, is: gold}]\n")
    town.set("hans", tier="gold")
    town.refresh_segments()
    rest = "steps: [{id: rest, wait: 1d}]\n"
    fits = "where: {source: {in: [web, app]}}, if: {not: {attribute: tier, is: iron}}"
    town.journey(
        f"journey: door\nenter: {{event: signed_up, key: source, {fits}}}\nreenter: {{every: 90d, max: 2}}\n{rest}"
    )
    town.journey(f"journey: once\nenter: {{event: signed_up}}\nreenter: never\n{rest}")
    town.journey(f"journey: golden\nenter: {{segment: gold}}\n{rest}")
    town.journey(
        f"journey: patient\nenter: {{event: signed_up, settle: 2d, if: {{attribute: tier, is: iron}}}}\n{rest}"
    )
    town.journey(f"journey: later\nenter: {{event: signed_up}}\nschedule: {{from: 2026-07-01, to: 2026-08-01}}\n{rest}")
    town.journey(f"journey: draft\nstatus: draft\nenter: {{event: signed_up}}\n{rest}")
    town.journey(f"journey: birthday\nenter: {{date: born, repeat: yearly}}\n{rest}")
    town.journey(f"journey: gone\nenter: {{event: signed_up}}\n{rest}")
    with town.runtime.database.transaction() as connection:
        withdraw(connection, "journey", "gone", town.clock.now())
    town.set("bob", tier="iron")
    town.run_until("2026-06-02T08:00")
    for name in ("alice", "bob", "carol"):
        town.log("signed_up", name, source="web")
    town.log("signed_up", "dave", occurred="2026-06-01T09:00", source="web")
    town.log("signed_up", "erin", source="fair")
    town.log("signed_up", "fred", source="app", historical=True)
    town.run_until("2026-06-02T20:00")
    town.log("signed_up", "alice", source="web")
    town.run_until("2026-06-10T08:00")
    town.log("signed_up", "alice", source="web")
    town.run_until("2026-06-10T09:00")
    names = ("alice", "bob", "carol", "dave", "erin", "fred", "gina")
    pages = [page(town, name, "door") for name in names]
    pages += [page(town, "alice", name) for name in ("once", "golden", "patient", "later", "draft", "birthday", "gone")]
    pages.append(page(town, "hans", "golden"))
    golden("journeys/stories_doors.txt", "\n".join(pages))
