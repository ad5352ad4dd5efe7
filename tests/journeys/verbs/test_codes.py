"""Voucher codes in journeys: one for each run that is offered something, in the mail that it gets, or in the pool."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import insert, update

from campaigns.compose import Composer
from customers.tables import product
from delivery.worker import DeliveryWorker
from journeys.carrying.codes import settle_open_codes
from recommender.codes.pools import Pool, import_codes, list_pools
from tests.journeys.conftest import MakeTown
from tests.journeys.town import Recorder, Town

MAIL = """---
template: reco
channel: email
kind: transactional
subject: For you
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>{% for item in steps.reco.items %}[{{ item.sku }}]{% endfor %}({{ steps.reco.code }})</mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
NAMED = MAIL.replace("template: reco", "template: named").replace("steps.reco.code", "offers.one.code")
VALUES = MAIL.replace("template: reco", "template: valued").replace("steps.reco.code", "vars.voucher")
PLAIN = MAIL.replace("template: reco", "template: plain").replace("({{ steps.reco.code }})", "")
JOURNEY = """
journey: shop
enter: {{event: signed_up}}
mode: parallel
exit: [{{event: cart_emptied}}]
defaults: {{topic: orders, kind: transactional}}
steps:
  - {{id: reco, offer: {offer}}}
  - {{id: rest, wait: 1h}}
  - {{id: letter, email: {letter}}}
"""
PRICES = {"a1": 100, "a2": 110, "b1": 300}


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    town = make_town()
    offer(town, "one", "lte", "code: {pool: first, expires_after: 3d}")
    offer(town, "spare", "gt", "code: {pool: second}")
    with town.runtime.database.transaction() as connection:
        rows = [
            {"sku": sku, "name": sku, "category": "Tea", "price": price, "currency": "GBP", "stock": 5,
             "is_hidden": False, "is_replenishable": True, "attributes": {}, "updated_at": town.clock.now()}
            for sku, price in PRICES.items()
        ]  # fmt: skip
        connection.execute(insert(product), rows)
    for name, text in (("reco", MAIL), ("named", NAMED), ("valued", VALUES), ("plain", PLAIN)):
        town.template(name, text.replace("{", "{{").replace("}", "}}"))
    recorder = Recorder("email", town.clock)
    town.recorders["email"] = recorder
    town._worker.close()
    town._worker = DeliveryWorker(town.runtime, {"email": recorder}, Composer(town.runtime).compose, name="shop")
    town.person("alice")
    return town


def offer(town: Town, name: str, comparison: str, code: str) -> None:
    recommend = f"{{model: bestsellers, count: 1, holdout: 0%, where: {{price: {{{comparison}: 200}}}}}}"
    town.publish("offer", f"offer: {name}\nrecommend: {recommend}\n{code}\n")


def fill(town: Town, **pools: Sequence[str]) -> None:
    with town.runtime.database.transaction() as connection:
        for name, codes in pools.items():
            import_codes(connection, town.runtime.vault, name, codes, town.clock.now())


def begin(town: Town, offer: str = "one", letter: str = "reco", *, people: Sequence[str] = ("alice",)) -> None:
    """Everybody passes the offer and waits for the mail."""
    town.publish("journey", JOURNEY.format(offer=offer, letter=letter) + "status: live\n")
    for person in people:
        town.log("signed_up", person)
    town.work()


def sold_out(town: Town, *skus: str) -> None:
    with town.runtime.database.transaction() as connection:
        connection.execute(update(product).where(product.c.sku.in_(skus)).values(stock=0))


def mails(town: Town, until: str = "2026-06-01T10:00") -> list[str]:
    """What stands in the mails by then: products in brackets, the code in parentheses."""
    town.run_until(until)
    texts = [envelope.text for _, envelope in town.recorders["email"].sent]
    return [line.strip() for text in texts for line in text.splitlines() if "[" in line]


def pools(town: Town) -> dict[str, tuple[int, int, int]]:
    """Free, drawn and certainly given codes of each pool."""
    with town.runtime.database.transaction() as connection:
        settle_open_codes(connection, town.clock.now())
        found: list[Pool] = list_pools(connection, town.clock.now())
    return {pool.name: (pool.free_count, pool.drawn_count, pool.given_count) for pool in found}


@pytest.mark.parametrize("letter", ["reco", "named", 'valued, with: {voucher: "{{ steps.reco.code }}"}'])
def test_everybody_finds_a_code_of_their_own_in_the_mail(town: Town, letter: str) -> None:
    town.person("bob")
    fill(town, first=["A", "B", "C"])
    begin(town, letter=letter, people=("alice", "bob"))
    assert sorted(mails(town)) == ["[a1](A)", "[a1](B)"]
    assert pools(town) == {"first": (1, 2, 2)}


def test_each_run_has_its_own_code_when_somebody_comes_twice(town: Town) -> None:
    fill(town, first=["A", "B"])
    begin(town, people=("alice", "alice"))
    assert sorted(mails(town)) == ["[a1](A)", "[a1](B)"]


@pytest.mark.parametrize(
    ("offer", "gone", "mail", "left"),
    [
        # Scenario 79: the next-ranked product moves up, then the fallback, then nothing is sent.
        ("{from: [one], fallback: spare}", ("a1",), ["[a2](A)"], {"first": (0, 1, 1), "second": (1, 0, 0)}),
        ("{from: [one], fallback: spare}", ("a1", "a2"), ["[b1](S)"], {"first": (1, 0, 0), "second": (0, 1, 1)}),
        ("{from: [one], fallback: spare}", ("a1", "a2", "b1"), [], {"first": (1, 0, 0), "second": (1, 0, 0)}),
        ("one", ("a1", "a2"), [], {"first": (1, 0, 0), "second": (1, 0, 0)}),
    ],
)
def test_the_code_is_that_of_what_is_shown_and_returns_when_nothing_is_sent(
    town: Town, offer: str, gone: Sequence[str], mail: list[str], left: dict[str, tuple[int, int, int]]
) -> None:
    fill(town, first=["A"], second=["S"])
    begin(town, offer)
    sold_out(town, *gone)
    assert mails(town) == mail
    assert [row.reason for row in town.messages("alice")] == ([None] if mail else ["no_offer"])
    assert pools(town) == left


@pytest.mark.parametrize(
    ("offer", "mail"),
    [
        ("{from: [one], fallback: spare}", ["[b1](S)"]),
        ("{from: [one, spare]}", ["[b1](S)"]),
        ("{from: [one, spare], strategy: best}", ["[b1](S)"]),
        ("one", []),
    ],
)
def test_the_next_offer_takes_the_place_when_a_pool_is_dry(town: Town, offer: str, mail: list[str]) -> None:
    fill(town, second=["S"])
    begin(town, offer)
    assert mails(town) == mail


def test_the_last_code_goes_to_the_first_who_asks(town: Town) -> None:
    town.person("bob")
    fill(town, first=["A"])
    begin(town, people=("alice", "bob"))
    assert mails(town) == ["[a1](A)"]
    assert [town.messages(person)[0].reason for person in ("alice", "bob")] == [None, "no_offer"]


def test_a_code_returns_at_once_when_the_run_is_left_before_the_mail(town: Town) -> None:
    fill(town, first=["A"])
    begin(town)
    with town.runtime.database.read() as connection:
        assert list_pools(connection, town.clock.now())[0].free_count == 0
    town.log("cart_emptied", "alice")
    town.work()
    with town.runtime.database.read() as connection:
        assert list_pools(connection, town.clock.now())[0].free_count == 1


def test_a_code_returns_when_its_mail_never_left(town: Town) -> None:
    fill(town, first=["A"])
    begin(town)
    town.suppress("alice")
    assert mails(town) == []
    assert pools(town) == {"first": (1, 0, 0)}


def test_a_code_returns_when_no_mail_showed_it(town: Town) -> None:
    fill(town, first=["A"])
    begin(town, letter="plain")
    assert mails(town) == ["[a1]"]
    assert pools(town) == {"first": (1, 0, 0)}


def test_nobody_else_gets_a_code_that_a_step_has_written_elsewhere(town: Town) -> None:
    fill(town, first=["A"])
    journey = JOURNEY.format(offer="one", letter="plain").replace(
        "  - {id: rest", '  - {emit: gave_code, with: {code: "{{ steps.reco.code }}"}}\n  - {id: rest'
    )
    town.publish("journey", journey + "status: live\n")
    town.log("signed_up", "alice")
    town.work()
    assert mails(town) == ["[a1]"]
    assert pools(town) == {"first": (0, 1, 1)}


def test_the_fallback_is_shown_when_the_code_is_good_no_more(town: Town) -> None:
    fill(town, first=["A"], second=["S"])
    text = JOURNEY.format(offer="{from: [one], fallback: spare}", letter="reco").replace("wait: 1h", "wait: 4d")
    town.publish("journey", text + "status: live\n")
    town.log("signed_up", "alice")
    assert mails(town, "2026-06-06T00:00") == ["[b1](S)"]
    assert pools(town) == {"first": (1, 0, 0), "second": (0, 1, 1)}


def test_everybody_reads_the_same_code_when_it_is_static(town: Town) -> None:
    offer(town, "one", "lte", "code: {static: TEN}")
    town.person("bob")
    begin(town, people=("alice", "bob"))
    assert mails(town) == ["[a1](TEN)", "[a1](TEN)"]


def test_a_code_is_free_as_soon_as_its_mail_has_nothing_to_show(town: Town) -> None:
    fill(town, first=["A"])
    text = JOURNEY.format(offer="one", letter="named") + "  - {id: later, wait: 5d}\n"
    town.publish("journey", text + "status: live\n")
    town.log("signed_up", "alice")
    town.work()
    sold_out(town, "a1", "a2")
    assert mails(town) == []
    assert town.runs("alice") == [("active", None)]
    assert pools(town) == {"first": (1, 0, 0)}
