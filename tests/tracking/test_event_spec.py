from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from tracking.events.event_mapping import event_name, read_traits, snake_case, to_order
from tracking.events.event_spec import Call, CallKind, Posted, occurred_at
from tracking.events.packing import MAX_UNPACKED, TooBigError, unpack
from tracking.events.request import Door, read_request

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)


def read_batch(body: bytes, received_at: datetime) -> Posted:
    return read_request(body, Door(), received_at)


def read_single(body: bytes, kind: CallKind, received_at: datetime) -> Posted:
    return read_request(body, Door(kind=kind), received_at)


def _batch(*calls: Any, **envelope: Any) -> bytes:
    return json.dumps({"batch": calls, **envelope}).encode()


def _track(name: str = "Product Viewed", **more: Any) -> dict[str, Any]:
    return {"type": "track", "messageId": "1", "userId": "alice", "event": name, **more}


def _order(**properties: Any) -> Call:
    return Call(CallKind.TRACK, "1", NOW, user_id="alice", name="Order Completed", properties=properties)


def test_a_call_is_dated_by_our_clock_when_the_device_is_two_years_slow() -> None:
    call = _track(timestamp="2024-06-10T07:59:30.000Z", sentAt="2024-06-10T08:00:00.000Z")
    posted = read_batch(_batch(call), NOW)
    assert posted.calls[0][1].occurred_at == NOW - timedelta(seconds=30)


def test_the_time_of_sending_is_the_batchs_when_the_call_has_none() -> None:
    call = _track(originalTimestamp="2026-06-10T07:00:00Z")
    posted = read_batch(_batch(call, sentAt="2026-06-10T07:10:00+00:00"), NOW)
    assert posted.calls[0][1].occurred_at == NOW - timedelta(minutes=10)


instants = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by hypothesis's contract


@given(instants, instants, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_no_call_is_of_the_future_when_its_clock_is_wrong(happened: datetime, sent: datetime, skew: timedelta) -> None:
    try:
        instant = occurred_at(happened=happened.isoformat(), sent=sent.isoformat(), received_at=NOW)
    except InputError:
        assert not datetime(2000, 1, 1, tzinfo=UTC) <= NOW - (sent - happened) <= NOW + timedelta(days=366)
        return
    assert instant <= NOW
    shifted = occurred_at(happened=(happened + skew).isoformat(), sent=(sent + skew).isoformat(), received_at=NOW)
    assert shifted == instant


@pytest.mark.parametrize("written", ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "1999-12-31T23:59:59Z"])
def test_a_call_is_refused_when_it_is_of_another_age(written: str) -> None:
    (left,) = read_batch(_batch(_track(timestamp=written)), NOW).left
    assert left.reason.startswith(f"its timestamp is of the year {written[:4]}")
    posted = read_batch(_batch(_track(timestamp=written, sentAt=written)), NOW)
    assert posted.calls[0][1].occurred_at == NOW  # a clock that is off by so much still tells how long ago it was


def test_good_calls_are_read_when_others_in_the_batch_make_no_sense() -> None:
    posted = read_batch(
        _batch(
            _track(),
            {"type": "dance", "userId": "alice"},
            "a text",
            _track(timestamp="yesterday"),
            _track(properties={"note": "nul \x00"}),
            _track(properties=["a", "list"]),
            _track(properties={"long": "x" * 70_000}),
            _track(messageId="8", userId=42),
        ),
        NOW,
    )
    assert [index for index, _ in posted.calls] == [0, 7]
    assert [left.index for left in posted.left] == [1, 2, 3, 4, 5, 6]
    assert posted.calls[1][1].user_id == "42"


@pytest.mark.parametrize("body", [b"", b"[1", b"{}", b'{"batch": 1}', b"{" * 100_000, b"\xff\xfe", b'{"batch": [}'])
def test_a_body_is_refused_when_it_is_no_batch(body: bytes) -> None:
    with pytest.raises(InputError):
        read_batch(body, NOW)


def test_the_key_of_a_call_is_its_content_when_it_has_no_id() -> None:
    body = b'{"userId": "alice", "event": "Seen", "writeKey": "k"}'
    first, second = (read_single(body, CallKind.TRACK, NOW) for _ in range(2))
    assert first.write_keys == ("k",)
    assert first.calls[0][1].key == second.calls[0][1].key
    assert first.calls[0][1].kind is CallKind.TRACK


def test_a_body_is_unpacked_when_only_its_first_bytes_tell_gzip() -> None:
    assert unpack(gzip.compress(b"{}"), "") == b"{}"
    assert unpack(gzip.compress(b"{}"), "gzip") == b"{}"
    assert unpack(b"{}", "") == b"{}"


def test_a_bomb_is_refused_when_it_unpacks_too_large() -> None:
    with pytest.raises(TooBigError):
        unpack(gzip.compress(bytes(MAX_UNPACKED + 1)), "gzip")
    with pytest.raises(InputError):
        unpack(gzip.compress(b"{}" * 1000)[:-9], "gzip")
    with pytest.raises(InputError):
        unpack(b"\x1f\x8b and no more", "")


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("Product Viewed", "product_viewed"),
        ("productViewed", "product_viewed"),
        ("product-viewed", "product_viewed"),
        ("PRODUCT VIEWED", "product_viewed"),
        ("Größe gewählt", "größe_gewählt"),
        ("$$$", ""),
    ],
)
def test_a_name_becomes_ours_when_it_is_written_in_another_way(written: str, ours: str) -> None:
    assert snake_case(written) == ours


@pytest.mark.parametrize("name", ["Link Clicked", "order_placed", "", "x" * 200])
def test_a_name_is_refused_when_it_is_ours_or_none(name: str) -> None:
    with pytest.raises(InputError):
        event_name(Call(CallKind.TRACK, "1", NOW, name=name))


def test_traits_become_addresses_and_attributes_when_somebody_is_identified() -> None:
    traits = read_traits(
        {"email": "a@b.example", "firstName": "Alice", "address": {"city": "Bath", "street": "x"}, "tier": None}
    )
    assert traits.addresses == {"email": "a@b.example"}
    assert traits.attributes == {"first_name": "Alice", "city": "Bath", "tier": None}


def test_an_order_is_exact_to_the_penny_when_prices_are_floats() -> None:
    order = to_order(
        _order(
            order_id="1001",
            total=45.03,
            products=[
                {"product_id": "TEA-1", "price": 19.99, "quantity": 2},
                {"sku": "CUP-1", "price": "1.10"},
            ],
        ),
        "backend",
        "GBP",
    )
    assert order.key == "backend:1001"
    assert [(line.sku, line.quantity, line.amount, str(line.kind)) for line in order.lines] == [
        ("TEA-1", 2, 3998, "product"),
        ("CUP-1", 1, 110, "product"),
        ("fees", 1, 395, "fee"),
    ]


def test_an_order_counts_whole_units_when_its_currency_has_no_smaller_ones() -> None:
    order = to_order(
        _order(order_id=7, currency="jpy", products=[{"sku": "A", "price": 1200, "quantity": 2.0}]), "b", "GBP"
    )
    assert (order.currency, [line.amount for line in order.lines]) == ("JPY", [2400])


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_id": None},
        {"currency": "pounds"},
        {"products": []},
        {"products": ["tea"]},
        {"products": [{"price": 1}]},
        {"products": [{"sku": "A", "price": "free"}]},
        {"products": [{"sku": "A", "price": True}]},
        {"products": [{"sku": "A", "price": 1e30}]},
        {"products": [{"sku": "A", "price": 1, "quantity": 0}]},
        {"products": [{"sku": "A", "price": 1, "quantity": 1.5}]},
        {"total": "NaN"},
    ],
)
def test_an_order_is_refused_when_it_does_not_add_up_to_one(wrong: dict[str, Any]) -> None:
    good = {"order_id": "1", "products": [{"sku": "A", "price": 1}]}
    with pytest.raises(InputError):
        to_order(_order(**{**good, **wrong}), "b", "GBP")
