"""The generated shop is what its truth says: equal bytes each time, rules and churners as planted, dirt as counted."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

import phonenumbers
import pytest

from examples.shop.generate import NOW, generate
from examples.shop.people import local_part
from examples.shop.truth import Persona, Truth, read_truth

FILES = ("profiles.csv", "products.csv", "orders.csv", "events.jsonl", "truth.json")


def _small(folder: Path, seed: int = 3, now: datetime = NOW) -> Truth:
    return generate(folder, seed, profiles=300, order_lines=3000, events=5000, now=now)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def truth(folder: Path) -> Truth:
    return generate(folder, profiles=2000, order_lines=24000, events=20000)


def _rows(path: Path, truth: Truth) -> list[dict[str, str]]:
    """The rows of a CSV file that are not wrong on purpose."""
    wrong = (
        {line for lines in truth.dirt_lines[path.name].values() for line in lines} if path.name in truth.dirt else set()
    )
    with path.open(encoding="utf-8", newline="") as file:
        return [row for line, row in enumerate(csv.DictReader(file), start=2) if line not in wrong]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_bytes_are_the_same_when_arguments_are_the_same(tmp_path: Path) -> None:
    _small(tmp_path / "a", seed=3)
    _small(tmp_path / "b", seed=3)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_people_differ_when_the_seed_differs(tmp_path: Path) -> None:
    _small(tmp_path / "a", seed=3)
    _small(tmp_path / "b", seed=4)
    assert (tmp_path / "a" / "profiles.csv").read_bytes() != (tmp_path / "b" / "profiles.csv").read_bytes()


def test_sizes_are_met_when_asked_for(folder: Path, truth: Truth) -> None:
    lines = [row for row in _rows(folder / "orders.csv", truth) if row["status"] == "placed"]
    assert len(_rows(folder / "profiles.csv", truth)) == 2000
    assert 24000 * 0.94 < len(lines) < 24000 * 1.06
    assert truth.rows["events.jsonl"] - sum(truth.dirt["events.jsonl"].values()) == 20000
    with (folder / "events.jsonl").open("rb") as file:
        assert sum(1 for _ in file) == truth.rows["events.jsonl"]


def test_truth_is_read_back_when_written(folder: Path, truth: Truth) -> None:
    assert read_truth(folder) == truth


def test_rules_have_their_figures_when_counted_again(folder: Path, truth: Truth) -> None:
    baskets: dict[str, set[str]] = defaultdict(set)
    for row in _rows(folder / "orders.csv", truth):
        if row["status"] == "placed":
            baskets[row["order_id"]].add(row["sku"])
    assert len(truth.rules) == 12
    for rule in truth.rules:
        having = [basket for basket in baskets.values() if rule.antecedent in basket]
        both = sum(rule.consequent in basket for basket in having)
        share = sum(rule.consequent in basket for basket in baskets.values()) / len(baskets)
        assert both == rule.basket_count >= 20
        assert rule.confidence == pytest.approx(both / len(having), abs=1e-5)
        assert rule.lift == pytest.approx(both / len(having) / share, rel=1e-3)
        assert rule.lift > 5
        assert abs(rule.confidence - rule.planted_confidence) < 0.2


def test_staples_come_back_when_they_are_used_up(folder: Path, truth: Truth) -> None:
    placed: dict[tuple[str, str], set[datetime]] = defaultdict(set)
    for row in _rows(folder / "orders.csv", truth):
        if row["status"] == "placed" and row["customer"]:
            placed[row["sku"], row["customer"]].add(_at(row["placed_at"]))
    stock = {row["sku"]: row for row in _rows(folder / "products.csv", truth)}
    assert len(truth.staples) == 3
    for staple in truth.staples:
        days = [
            (later - earlier) / timedelta(days=1)
            for (sku, _), instants in placed.items()
            if sku == staple.sku
            for earlier, later in pairwise(sorted(instants))
        ]
        again = [gap for gap in days if gap >= 1]
        assert len(again) == staple.repurchases >= 50
        assert round(median(again), 1) == staple.median_days
        assert staple.lasts_days < median(again) < 1.6 * staple.lasts_days
        assert (stock[staple.sku]["is_replenishable"], stock[staple.sku]["stock"] != "0") == ("yes", True)


def test_churners_are_silent_when_they_have_stopped(folder: Path, truth: Truth) -> None:
    placed: dict[str, set[datetime]] = defaultdict(set)
    for row in _rows(folder / "orders.csv", truth):
        if row["status"] == "placed":
            placed[row["customer"]].add(_at(row["placed_at"]))
    buyers = len(placed) - 1  # without the guests
    assert 0.11 < len(truth.churners) / buyers < 0.19
    for churner in truth.churners:
        mine = sorted(placed[churner.external_id])
        assert len(mine) >= 3
        assert mine[-1] == _at(churner.last_order_at)
        assert (NOW - mine[-1]) > timedelta(days=90)
        assert churner.silent_days > 3 * churner.typical_gap_days


def test_nothing_lies_in_the_future_or_before_the_sign_up(folder: Path, truth: Truth) -> None:
    signed_up = {row["external_id"]: _at(row["signed_up_at"]) for row in _rows(folder / "profiles.csv", truth)}
    for row in _rows(folder / "orders.csv", truth):
        assert _at(row["placed_at"]) < NOW
        assert not row["customer"] or _at(row["placed_at"]) >= signed_up[row["customer"]]
    with (folder / "events.jsonl").open("rb") as file:
        stamps = [json.loads(line)["timestamp"] for line in file]
    assert all(_at(stamp) < NOW for stamp in stamps if stamp != "yesterday")


def test_every_address_is_unreachable_and_every_number_fictional_but_valid(folder: Path, truth: Truth) -> None:
    people = _rows(folder / "profiles.csv", truth)
    assert all(person["email"].endswith(".sandbox.invalid") for person in people)
    assert len({person["email"] for person in people}) == len(people)
    numbers = [person["phone"] for person in people if person["phone"]]
    assert len(set(numbers)) == len(numbers)
    assert 0.5 < len(numbers) / len(people) < 0.7
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(number)) for number in numbers)


def test_a_zone_suits_the_persona_when_mail_is_sent(folder: Path, truth: Truth) -> None:
    zones = {Persona.GMAIL: "gmail", Persona.APPLE_MPP: "icloud", Persona.SCANNER: "corp"}
    for person in _rows(folder / "profiles.csv", truth):
        response = truth.responses[person["external_id"]]
        domain = person["email"].partition("@")[2]
        if response.persona in zones:
            assert domain == f"{zones[response.persona]}.sandbox.invalid"
        chances = (response.open, response.click, response.click_offer, response.buy, response.buy_offer)
        assert all(0 <= chance <= 1 for chance in chances)
        assert response.buy_offer >= response.buy


def test_mailboxes_misbehave_when_planted(folder: Path, truth: Truth) -> None:
    addresses = {row["external_id"]: row["email"] for row in _rows(folder / "profiles.csv", truth)}
    for prefix, planted in (
        ("bounce+", truth.bounces),
        ("complaint+", truth.complaints),
        ("ooto+", truth.out_of_office),
    ):
        assert planted
        assert planted == [key for key, address in addresses.items() if address.startswith(prefix)]


def test_offers_lift_sales_when_the_truth_says_so(truth: Truth) -> None:
    assert truth.lift.people > 1000
    assert truth.lift.buy_with_offers > 1.5 * truth.lift.buy_without_mail


def test_wrong_rows_are_counted_when_looked_for(folder: Path, truth: Truth) -> None:
    with (folder / "orders.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = Counter(
        "negative_quantity" if row["status"] == "placed" and int(row["quantity"]) < 0
        else "bad_date" if "/" in row["placed_at"]
        else "bad_price" if row["unit_price"] == "n/a"
        else "missing_order_id" if not row["order_id"]
        else "valid"
        for row in rows
    )  # fmt: skip
    del found["valid"]
    assert dict(found) == truth.dirt["orders.csv"]
    assert sum(row["status"] == "returned" for row in rows) >= truth.returned_lines > 0
    assert all(count > 0 for reasons in truth.dirt.values() for count in reasons.values())


def test_local_parts_are_plain_when_names_are_not() -> None:
    assert local_part("Jürgen", "Şahin") == "juergen.sahin"
    assert local_part("Éloïse", "O'Brien") == "eloise.obrien"


def test_now_moves_the_data_when_given(tmp_path: Path) -> None:
    now = datetime(2030, 1, 2, tzinfo=UTC)
    moved = _small(tmp_path, now=now)
    assert moved.now == "2030-01-02T00:00:00Z"
    assert max(_at(churner.last_order_at) for churner in moved.churners) > now - timedelta(days=200)
