from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from core.settings import child_environment, load_settings
from tests.cli.test_commands import MAPPING, ROOT, Shell
from tests.recommender.shop import PLANTED, planted_orders


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A project with the planted orders, mined by one engine."""
    folder = tmp_path_factory.mktemp("rules")
    settings = load_settings({}, key_file=str(folder / "keys" / "shop.key"))
    shell = Shell(folder, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="200"))
    lines = ["order,when,who,sku,quantity,price"]
    for place, order in enumerate(planted_orders(900), start=1):
        lines += [f"{place},{order.at:%Y-%m-%d %H:%M},,{sku},1,5.00" for sku in order.skus]
    assert shell.run("init", str(folder / "shop")).code == 0
    mapping = shell.write("shop/imports/till.yaml", MAPPING)
    assert shell.run("apply").code == 0
    orders = shell.write("orders.csv", "\n".join(lines) + "\n")
    answer = shell.run("import", "orders", str(orders), "--mapping", str(mapping))
    assert answer.code == 0, answer.error
    answer = shell.run("--now", "2026-06-10", "recommend", "mine", "--engine", "eclat")
    assert "published" in answer.out, answer.out + answer.error
    return shell


def test_rules_are_listed_with_how_sure_they_are_when_a_person_asks(shop: Shell) -> None:
    answer = shop.run("recommend", "rules", "--limit", "3", "--sort", "lift", "--min-lift", "2")
    assert answer.code == 0
    assert "confidence %" in answer.out
    assert "Behind the q-values stand all" in answer.out
    assert answer.out.count(" → ") == 3


def test_every_figure_is_there_when_a_program_asks(shop: Shell) -> None:
    found = shop.run("recommend", "rules", "--product", "SOA00", "--max-q", "0.01", "--json").document
    rule = next(rule for rule in found["rules"] if rule["consequent"] == PLANTED["SOA00"])
    assert rule["antecedent"] == ["SOA00"]
    assert rule["confidence"]["low"] < rule["confidence"]["value"] < rule["confidence"]["high"]
    assert rule["q_value"] <= 0.01
    assert found["test_count"] > found["rule_count"] >= found["found_count"]


def test_all_that_fit_are_written_when_files_are_named(shop: Shell, tmp_path: Path) -> None:
    table, picture = tmp_path / "rules.csv", tmp_path / "rules.svg"
    answer = shop.run("recommend", "rules", "--min-lift", "2", "--csv", str(table), "--plot", str(picture))
    assert answer.code == 0, answer.error
    with table.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) > 5
    assert all(float(row["lift_low"]) < float(row["lift"]) < float(row["lift_high"]) for row in rows)
    assert f"{len(rows)} rules in" in answer.out
    assert "<svg" in picture.read_text(encoding="utf-8")
    again = shop.run("recommend", "rules", "--csv", str(table))
    assert again.code == 1
    assert "is there already" in again.error
    assert shop.run("recommend", "rules", "--csv", str(table), "--replace").code == 0


def test_the_table_goes_to_standard_output_when_a_dash_is_named(shop: Shell) -> None:
    answer = shop.run("recommend", "rules", "--csv", "-", "--limit", "2")
    assert len(list(csv.DictReader(io.StringIO(answer.out)))) == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rules", "--sort", "beauty"], "rules cannot be sorted by 'beauty': take one of confidence, lift"),
        (["rules", "--plot", "rules.gif"], "let it end in .svg or .png"),
        (["rules", "--plot", "no/such/rules.svg"], "there is no folder no/such"),
        (["rules", "--product", "unicorn", "--plot", "unicorn.svg"], "there is no rule to draw"),
        (["mine", "--engine", "apriori"], "there is no mining engine 'apriori'"),
    ],
)
def test_the_way_out_is_told_when_it_cannot_be_done(shop: Shell, words: list[str], sentence: str) -> None:
    answer = shop.run("recommend", *words)
    assert answer.code == 1
    assert sentence in " ".join(answer.error.split())
