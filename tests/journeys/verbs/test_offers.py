"""`offer`: what is frozen at the step, and what is left of it when the message is sent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import insert, select, update

from campaigns.compose import Composer
from customers.tables import product
from delivery.worker import DeliveryWorker
from recommender.tables import offer_decision
from tests.journeys.conftest import MakeTown
from tests.journeys.test_check import faults_of
from tests.journeys.town import Recorder, Town

MAIL = """---
template: reco
channel: email
kind: transactional
subject: For you
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>{% for item in steps.reco.items %}[{{ item.sku }}]{% endfor %}</mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
VALUES = MAIL.replace("template: reco", "template: valued").replace("steps.reco.items", "vars.goods")
JOURNEY = """
journey: shop
enter: {{event: signed_up}}
defaults: {{topic: orders, kind: transactional}}
steps:
  - {{id: reco, offer: {offer}}}
  - {{id: rest, wait: 1h}}
  - {{id: letter, email: {letter}}}
  - {{emit: after}}
"""


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    town = make_town()
    for name, price in (("one", "lte"), ("spare", "gt")):
        recommend = f"{{model: bestsellers, count: 1, holdout: 0%, where: {{price: {{{price}: 200}}}}}}"
        town.publish("offer", f"offer: {name}\nrecommend: {recommend}\n")
    with town.runtime.database.transaction() as connection:
        rows = [
            {"sku": sku, "name": sku, "category": "Tea", "price": price, "currency": "GBP", "stock": 5,
             "is_hidden": False, "is_replenishable": True, "attributes": {}, "updated_at": town.clock.now()}
            for sku, price in (("a1", 100), ("a2", 110), ("b1", 300))
        ]  # fmt: skip
        connection.execute(insert(product), rows)
    town.person("alice")
    return town


def sold_out(town: Town, *skus: str) -> None:
    with town.runtime.database.transaction() as connection:
        connection.execute(update(product).where(product.c.sku.in_(skus)).values(stock=0))


def mailed(town: Town, offer: str, gone: Sequence[str], letter: str = "reco") -> tuple[str, str]:
    """What alice's mail shows, when `gone` is sold out between the step and the mail: its products, or the reason."""
    recorder = Recorder("email", town.clock)
    town.journey(JOURNEY.format(offer=offer, letter=letter))
    for name, text in (("reco", MAIL), ("valued", VALUES)):
        town.template(name, text.replace("{", "{{").replace("}", "}}"))
    town.log("signed_up", "alice")
    town.work()
    sold_out(town, *gone)
    town._worker.close()
    town._worker = DeliveryWorker(town.runtime, {"email": recorder}, Composer(town.runtime).compose, name="shop")
    town.run_until("2026-06-01T10:00")
    (row,) = town.messages("alice")
    shown = "".join(envelope.text for _, envelope in recorder.sent)
    return "".join(sku for sku in ("a1", "a2", "b1") if f"[{sku}]" in shown), row.reason or row.status


@pytest.mark.parametrize(
    ("offer", "gone", "expected"),
    [
        ("{from: [one], fallback: spare}", (), ("a1", "sent")),
        ("{from: [one], fallback: spare}", ("a1",), ("a2", "sent")),
        ("{from: [one], fallback: spare}", ("a1", "a2"), ("b1", "sent")),
        ("{from: [one], fallback: spare}", ("a1", "a2", "b1"), ("", "no_offer")),
        ("one", ("a1", "a2"), ("", "no_offer")),
        ("{from: [one, spare]}", ("a1", "a2"), ("", "no_offer")),
        ("{from: [one, spare], strategy: best, count: 3}", ("a1",), ("a2b1", "sent")),
        ("{from: [one], exclude: {attribute: visits, is: {exists: false}}, fallback: spare}", (), ("b1", "sent")),
        ("{from: [one], exclude: {attribute: visits, is: {exists: false}}}", (), ("", "no_offer")),
    ],
)
def test_the_next_of_the_frozen_ranking_moves_up_when_a_product_is_sold_out_at_the_time_of_sending(
    town: Town, offer: str, gone: Sequence[str], expected: tuple[str, str]
) -> None:
    """Scenario 79, without codes."""
    assert mailed(town, offer, gone) == expected
    assert town.kinds("alice")[-1] == "ended"


def test_values_of_the_step_follow_when_a_product_is_sold_out(town: Town) -> None:
    letter = 'valued, with: {goods: "{{ steps.reco.items }}"}'
    assert mailed(town, "{from: [one], fallback: spare}", ("a1",), letter) == ("a2", "sent")


def test_nobody_sees_a_product_that_came_into_stock_after_the_choice(town: Town) -> None:
    sold_out(town, "a1")
    assert mailed(town, "{from: [one]}", ("a2",)) == ("", "no_offer")


def test_the_ranking_is_frozen_with_the_model_that_made_it(town: Town) -> None:
    town.journey(JOURNEY.format(offer="{from: [one], fallback: spare}", letter="reco"))
    town.log("signed_up", "alice")
    town.work()
    with town.runtime.database.read() as connection:
        rows = connection.execute(select(offer_decision).order_by(offer_decision.c.offer)).all()
    assert [(row.offer, [item["sku"] for item in row.items]) for row in rows] == [
        ("one", ["a1", "a2"]),
        ("spare", ["b1"]),
    ]


def test_a_strategy_is_refused_with_its_place_when_nobody_knows_it() -> None:
    offer = "{from: [cross_sell], strategy: bset, fallback: cross_sel}"
    text = f"journey: x\nenter: {{event: signed_up}}\nsteps:\n  - {{id: a, offer: {offer}}}\n"
    assert faults_of(text) == ["E103 bset 'best'?", "E120 cross_sel 'cross_sell'?"]
