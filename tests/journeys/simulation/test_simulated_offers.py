"""Offers inside a simulated journey: chosen by the recommender as production chooses them, and nothing is kept."""

from __future__ import annotations

from functools import partial

from sqlalchemy import func, insert, select

from customers.tables import product
from journeys.carrying.codes import SAMPLE
from journeys.enrolments import load_enrolments
from journeys.simulation.feed import Everybody, Stated
from journeys.simulation.report import report
from journeys.simulation.simulate import simulate
from recommender.codes.pools import import_codes, list_pools
from recommender.tables import offer_decision
from tests.journeys.conftest import MakeTown
from tests.journeys.simulation.same import fed_to, plan_of
from tests.journeys.town import Town

JOURNEY = """
journey: shop
enter: {event: signed_up}
defaults: {topic: orders, kind: transactional}
steps:
  - {id: reco, offer: {from: [cheap, dear], strategy: best, count: 2}}
  - {id: rest, wait: 1h}
  - {id: none, offer: rare}
  - {id: letter, email: letter}
"""
START, END = "2026-06-10T08:00", "2026-06-12T08:00"


def stock(town: Town) -> None:
    for name, price in (("cheap", "{lte: 200}"), ("dear", "{between: [200, 400]}"), ("rare", "{gt: 900}")):
        recommend = f"{{model: bestsellers, count: 1, holdout: 0%, where: {{price: {price}}}}}"
        town.publish("offer", f"offer: {name}\nrecommend: {recommend}\n")
    with town.runtime.database.transaction() as connection:
        rows = [
            {"sku": sku, "name": sku, "category": "Tea", "price": price, "currency": "GBP", "stock": 5,
             "is_hidden": False, "is_replenishable": True, "attributes": {}, "updated_at": town.clock.now()}
            for sku, price in (("a1", 100), ("a2", 110), ("b1", 300))
        ]  # fmt: skip
        connection.execute(insert(product), rows)


def decisions(town: Town) -> int:
    with town.runtime.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(offer_decision)) or 0


def test_everybody_is_offered_in_a_simulation_what_production_offers(make_town: MakeTown) -> None:
    town = make_town(START)
    stock(town)
    for name in ("alice", "bob"):
        town.person(name)
    town.journey(JOURNEY)
    for name in town.people:
        town.plan("2026-06-10T09:00", partial(town.log, "signed_up", name))
    town.plan("2026-06-10T10:00", lambda: None)
    town.run_until(END)
    plan, before = plan_of(town, "shop", START, END), decisions(town)
    feed = Stated(fed_to(town))
    tally, timelines = simulate(town.runtime, plan, feed, followed=list(town.people.values()))
    assert decisions(town) == before > 0
    with town.runtime.database.read() as connection:
        runs = load_enrolments(connection, town.runtime.vault, [row.id for row in town.enrolments()])
    real = {one.uid: {step: result["items"] for step, result in one.results.items()} for one in runs.values()}
    last = [timeline.journal[-1][1] for timeline in timelines.values()]
    assert {one.uid: {step: result["items"] for step, result in one.results.items()} for one in last} == real
    reco, _rest, none, _letter = report(plan, feed.what, tally, {})["steps"]
    assert reco["offered"] == {"something": 2, "nothing": 0}
    assert none["offered"] == {"something": 0, "nothing": 2}


def test_nobody_draws_a_voucher_code_in_a_simulation_and_an_empty_pool_stops_nobody(make_town: MakeTown) -> None:
    town = make_town(START)
    stock(town)
    town.publish("offer", "offer: cheap\nrecommend: {model: bestsellers, holdout: 0%}\ncode: {pool: ten}\n")
    with town.runtime.database.transaction() as connection:
        import_codes(connection, town.runtime.vault, "ten", ["A-1"], town.clock.now())
    for name in ("alice", "bob"):
        town.person(name)
    town.journey(JOURNEY)
    plan = plan_of(town, "shop", START, END)
    people = sorted(town.people.values())
    _tally, timelines = simulate(town.runtime, plan, Everybody(people, seed="seed"), followed=people)
    codes = [timeline.journal[-1][1].results["reco"]["code"] for timeline in timelines.values()]
    assert codes == [SAMPLE, SAMPLE]
    with town.runtime.database.read() as connection:
        assert [pool.free_count for pool in list_pools(connection, plan.end)] == [1]
