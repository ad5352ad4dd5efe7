from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import child_environment, load_settings
from tests.cli.test_commands import MAPPING, ROOT, Shell


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A new project with two months of orders: Alice and Bob buy tea with a pot, others soap."""
    folder: Path = tmp_path_factory.mktemp("trial")
    settings = load_settings({}, key_file=str(folder / "keys" / "shop.key"))
    shell = Shell(folder, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="120"))
    assert shell.run("init", str(folder / "shop")).code == 0
    lines = ["order,when,who,sku,quantity,price"]
    for order in range(120):
        when = f"2026-0{1 + order // 60}-{1 + order % 60 // 3:02d} 10:00"
        who, skus = (("A", "B")[order % 2], ("TEA", "POT", "CUP")) if order % 3 else ("", ("SOAP", "TOWEL", "DISH"))
        lines += [f"{order},{when},{who},{sku},1,3.50" for sku in skus]
    shell.write("shop/imports/orders.yaml", MAPPING)
    shell.write("orders.csv", "\n".join(lines) + "\n")
    assert shell.run("apply").code == 0
    imported = shell.run("import", "orders", str(folder / "orders.csv"))
    assert imported.code == 0, imported.error
    return shell


def test_the_figures_are_printed_when_the_ranking_is_tried(shop: Shell) -> None:
    answer = shop.run("--now", "2026-03-01T00:00:00Z", "recommend", "evaluate", "--surface", "basket")
    assert answer.code == 0, answer.error
    assert "Learnt from 96 baskets" in answer.out
    for word in ("Basket: completing", "hit rate", "NDCG", "recall", "coverage", "novelty", "ours", "popularity",
                 "item-kNN TF-IDF", "item-kNN BM25"):  # fmt: skip
        assert word in answer.out
    assert "Mail" not in answer.out


def test_every_surface_is_in_the_document_when_a_program_asks(shop: Shell) -> None:
    answer = shop.run(
        "--now", "2026-03-01T00:00:00Z", "recommend", "evaluate", "--from", "2026-02-01", "--questions", "20", "--json"
    )
    assert answer.code == 0, answer.error
    surfaces = {one["surface"]: one for one in answer.document["surfaces"]}
    assert list(surfaces) == ["basket", "product", "mail", "replenishment"]
    assert surfaces["basket"]["question_count"] == 20
    assert surfaces["basket"]["figures"]["ours"]["hit_rate"] == 1
    assert answer.document["learnt_count"] == 60


def test_a_wrong_word_is_told_when_there_is_no_such_surface(shop: Shell) -> None:
    answer = shop.run("recommend", "evaluate", "--surface", "shelf")
    assert answer.code != 0
    assert "there is no surface 'shelf'" in answer.error


def test_the_state_of_the_rules_is_told_before_and_after_mining(shop: Shell) -> None:
    now = ("--now", "2026-03-01T00:00:00Z")
    before = shop.run(*now, "recommend", "status")
    assert (before.code, "missing" in before.out) == (0, True), before.error
    assert shop.run(*now, "recommend", "mine").code == 0
    after = shop.run("--now", "2026-03-20T00:00:00Z", "recommend", "status", "--json")
    assert after.code == 0, after.error
    assert after.document["state"] in {"stale", "missing"}
    assert after.document["told"]
