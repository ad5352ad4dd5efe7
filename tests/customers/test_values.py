from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from customers.addresses import normalise
from customers.attributes import coerce
from customers.countries import find_country
from customers.imports import values
from customers.imports.positions import Positions
from customers.imports.values import Memo, Reason, RefusedError
from customers.money import to_minor
from customers.words import snake_case
from customers.workspace import ValueKind

LONDON = ZoneInfo("Europe/London")
LATEST = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("email", " Alice.B+tag@Shop.EXAMPLE ", "alice.b+tag@shop.example"),
        ("email", "alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("phone", "020 7946 0018", "+442079460018"),
        ("phone", "+1 (212) 555-0110", "+12125550110"),
        ("external_id", " 17850 ", "17850"),
    ],
)
def test_an_identifier_has_one_spelling(kind: str, text: str, expected: str) -> None:
    assert normalise(kind, text, "GB") == expected
    assert normalise(kind, expected, "GB") == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [("email", text) for text in ("", "alice", "a@b", "a b@c.de", "a@@c.de", ".a@c.de", "a..b@c.de", "a@c..de")]
    + [("email", "dirt.1(at)mail"), ("email", f"{'a' * 65}@c.de"), ("email", "a@[127.0.0.1]"), ("email", "a@1.2.3.4")]
    + [("phone", text) for text in ("", "hello", "12", "+999999999999999999")]
    + [("external_id", text) for text in ("null", "Guest", "0", "x" * 151, "a\nb")],
)
def test_a_wrong_identifier_is_refused_without_repeating_an_address(kind: str, text: str) -> None:
    with pytest.raises(InputError) as refused:
        normalise(kind, text, "GB")
    if kind != "external_id" and text:
        assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("2.55", "GBP", 255), ("0.005", "GBP", 0), ("0.015", "GBP", 2), ("1200", "JPY", 1200), ("1.2345", "KWD", 1234)],
)
def test_money_is_rounded_half_even_in_its_currency(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


def test_a_local_time_is_placed_in_its_zone() -> None:
    read = [
        values.instant(cell, LONDON, None, LATEST)
        for cell in ("2026-06-10 08:00", "2026-06-10T08:00:00Z", "2026-01-10", datetime(2026, 6, 10, 8, tzinfo=LONDON))
    ]
    assert [moment.isoformat() if moment else None for moment in read] == [
        "2026-06-10T07:00:00+00:00",
        "2026-06-10T08:00:00+00:00",
        "2026-01-10T00:00:00+00:00",
        "2026-06-10T07:00:00+00:00",
    ]
    assert values.day(date(2026, 6, 10), None) == "2026-06-10"
    assert values.day("10.06.2026", "%d.%m.%Y") == "2026-06-10"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("31/02/2026 12:00", "impossible_date"),
        ("1899-12-31", "impossible_date"),
        ("2999-01-01", "future_date"),
        ("0001-01-01", "impossible_date"),
    ],
)
def test_an_instant_is_refused_when_it_is_no_date_of_a_customer(cell: str, reason: str) -> None:
    with pytest.raises(RefusedError) as refused:
        values.instant(cell, LONDON, None, LATEST)
    assert refused.value.reason == reason


@pytest.mark.parametrize("cell", ["n/a", "1,234.50", "NaN", "inf", "1_000", "1e40", float("inf")])
def test_a_number_is_refused_when_it_is_none(cell: object) -> None:
    with pytest.raises(RefusedError):
        values.number(cell)


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_a_whole_number_is_read_however_it_is_stored(number: int) -> None:
    assert values.integer(number) == values.integer(f" {number} ") == values.integer(float(number)) == number


def test_a_number_that_a_file_stores_as_a_fraction_is_the_same_name() -> None:
    assert [values.text(cell) for cell in (17850.0, 17850, "17850", float("nan"), " ", None)] == [
        "17850",
        "17850",
        "17850",
        None,
        None,
        None,
    ]


def test_a_memo_remembers_refusals_too() -> None:
    asked: list[str] = []

    def parse(cell: str) -> int | None:
        asked.append(cell)
        return values.integer(cell)

    memo = Memo(parse)
    assert [memo["x"], memo["x"], memo["7"], memo["7"]] == [Reason("wrong_number"), Reason("wrong_number"), 7, 7]
    assert asked == ["x", "7"]


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.integers(1, 4))
def test_positions_are_counted_right_when_they_do_not_fit_in_memory(keys: list[str], in_memory: int) -> None:
    positions = Positions(in_memory)
    taken = [number for place in range(0, len(keys), 5) for number in positions.take(keys[place : place + 5])]
    assert taken == [keys[: place + 1].count(key) for place, key in enumerate(keys)]


@pytest.mark.parametrize(
    ("name", "code"),
    [("United Kingdom", "GB"), ("EIRE", "IE"), ("usa", "US"), ("RSA", "ZA"), ("gb", "GB"), ("Unspecified", None)],
)
def test_a_country_is_found_by_name_and_code(name: str, code: str | None) -> None:
    assert find_country(name) == code


@pytest.mark.parametrize("name", ["Product Viewed", "productViewed", "product-viewed", "PRODUCT_VIEWED"])
def test_an_event_has_one_name_however_it_is_written(name: str) -> None:
    assert snake_case(name) == "product_viewed"


def test_attributes_get_the_form_of_their_kind() -> None:
    assert coerce(ValueKind.NUMBER, "12") == 12
    assert coerce(ValueKind.NUMBER, 12.5) == 12.5
    assert coerce(ValueKind.BOOLEAN, "yes") is True
    assert coerce(ValueKind.INSTANT, "2026-06-10T08:00:00+02:00") == "2026-06-10T06:00:00Z"
    assert coerce(ValueKind.LIST, "tea, home") == ["tea", "home"]
    for kind, value in ((ValueKind.NUMBER, True), (ValueKind.DATE, "1987-02-30"), (ValueKind.LIST, 3)):
        with pytest.raises(InputError):
            coerce(kind, value)
