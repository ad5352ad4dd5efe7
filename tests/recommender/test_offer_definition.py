from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from core.definitions import publish
from core.errors import ConfigError, Fault, NotFoundError
from core.located import load_yaml
from customers.workspace import Workspace, parse_workspace
from recommender.offer_definition import Basis, Code, Fallback, Model, Offer, ShowLimit, get_offer, parse_offer
from segments.language.rules import Not, SegmentRule
from tests.recommender.shop import NOW

WORKSPACE = {"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"}
CROSS_SELL = """\
offer: cross_sell
recommend:
  {model: item_item, count: 3, of: entry.items, exclude_owned: true, where: {stock: {gt: 0}}, fallback: bestsellers}
eligible: {not: {segment: employees}}
limits: [{shows: 3, per: 30d}]
priority: 70
"""


def parse(text: str, workspace: Workspace | None = None) -> tuple[Offer | None, list[Fault]]:
    located, faults = load_yaml(text.encode(), "offers/cross_sell.yaml")
    assert located is not None
    assert faults == []
    return parse_offer(located, workspace)


def get(text: str) -> Offer:
    offer, faults = parse(text)
    assert faults == []
    assert offer is not None
    return offer


def test_every_word_is_understood_when_the_worked_file_is_read() -> None:
    offer = get(CROSS_SELL)
    assert offer.eligible == Not(SegmentRule("employees"))
    assert offer.limits == (ShowLimit(3, timedelta(days=30)),)
    assert offer.priority == 70
    assert offer.recommend.model is Model.ITEM_ITEM
    assert offer.recommend.of is Basis.ENTRY
    assert offer.recommend.fallback is Fallback.BESTSELLERS
    assert offer.recommend.exclude_owned
    assert offer.recommend.where is not None
    assert offer.recommend.where[0].name == "stock"


def test_defaults_hold_when_only_the_name_is_written() -> None:
    offer = get("offer: cross_sell")
    assert offer == Offer("cross_sell", name="cross_sell")
    assert offer.recommend.holdout == Decimal(10)
    assert offer.is_live


def test_dates_are_local_to_the_workspace_when_they_have_no_offset() -> None:
    text = "offer: cross_sell\nvalid: {from: 2026-06-01, to: '2026-06-30T12:00+05:00'}"
    offer, _ = parse(text, parse_workspace(WORKSPACE))
    assert offer is not None
    assert offer.valid_from == datetime(2026, 5, 31, 23, tzinfo=UTC)
    assert offer.valid_to == datetime(2026, 6, 30, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("recommend: {model: item_itme}", "2:20: E103 `model` knows no 'item_itme', did you mean 'item_item'?"),
        (
            "recommend: {of: everything}",
            "2:17: E103 `of` knows no 'everything', write one of recent, entry.items, cart, orders, viewed",
        ),
        (
            "recommend: {fallback: bestseller}",
            "2:23: E103 `fallback` knows no 'bestseller', did you mean 'bestsellers'?",
        ),
        (
            "recommend: {where: {colour: null}}",
            "2:29: E103 nothing can be compared with null, write exists: false",
        ),
        (
            "valid: {from: 2026-06-01, to: 2026-05-01}",
            "2:31: E133 the offer ends before it begins, write a later date",
        ),
        (
            "code: {expires_after: 3d}",
            "2:1: E101 nothing says which code is meant, write either `pool: NAME` or `static: CODE`",
        ),
        (
            "code: {static: TEN, pool: ten}",
            "2:1: E103 an offer has one kind of code, write either `pool: NAME` or `static: CODE`",
        ),
        (
            "eligible: {device: model, is: {gt: 1}}",
            "2:12: E160 the condition 'device' is known and does not work yet, leave it out for now",
        ),
        (
            "eligible: {entry: {total: 3}}",
            "2:11: E103 this condition has a meaning inside a journey only, leave it out here",
        ),
    ],
)
def test_a_fault_names_its_place_and_the_way_out_when_a_word_is_wrong(text: str, expected: str) -> None:
    offer, faults = parse(f"offer: cross_sell\n{text}\n")
    assert offer is None
    assert [str(fault) for fault in faults] == [f"offers/cross_sell.yaml:{expected}"]


def test_a_code_is_good_for_its_time_and_never_longer_than_the_offer() -> None:
    offer = get("offer: cross_sell\ncode: {pool: ten, expires_after: 3d}\nvalid: {to: 2026-06-12T08:00:00Z}")
    assert offer.code == Code(pool="ten", expires_after=timedelta(days=3))
    assert offer.pool == "ten"
    assert offer.code_ends_at(NOW - timedelta(days=2)) == NOW + timedelta(days=1)
    assert offer.code_ends_at(NOW) == offer.valid_to == NOW + timedelta(days=2)
    endless = get("offer: cross_sell\ncode: {static: TEN}")
    assert endless.code == Code(static="TEN")
    assert (endless.pool, endless.code_ends_at(NOW)) == (None, None)


def publish_text(connection: Connection, text: str) -> None:
    publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=NOW)
    located, _ = load_yaml(text.encode(), "offers/cross_sell.yaml")
    assert located is not None
    publish(
        connection, "offer", "cross_sell", document=located.data, source=text, file="offers/cross_sell.yaml", now=NOW
    )


def test_the_published_offer_is_the_written_one_when_it_is_fetched(connection: Connection) -> None:
    publish_text(connection, CROSS_SELL)
    assert get_offer(connection, "cross_sell") == get(CROSS_SELL)
    with pytest.raises(NotFoundError, match="no published offer named 'win_back'"):
        get_offer(connection, "win_back")


def test_a_published_offer_is_refused_when_this_version_does_not_know_a_word(connection: Connection) -> None:
    publish_text(connection, "offer: cross_sell\nrecommend: {model: telepathy}")
    with pytest.raises(ConfigError, match=r"recommend\.model: `model` knows no 'telepathy'"):
        get_offer(connection, "cross_sell")


@pytest.mark.parametrize("written", [25, "25%", 25.0])
def test_the_holdout_is_a_percentage_when_it_is_published(connection: Connection, written: object) -> None:
    publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="workspace.yaml", now=NOW)
    document = {"offer": "cross_sell", "recommend": {"holdout": written, "per_category": 2}}
    publish(connection, "offer", "cross_sell", document=document, source="", file="offers/cross_sell.yaml", now=NOW)
    recommend = get_offer(connection, "cross_sell").recommend
    assert (recommend.holdout, recommend.per_category) == (Decimal(25), 2)
