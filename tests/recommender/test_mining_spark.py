from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from recommender.baskets import baskets_of
from recommender.mining.choice import Engine, find_itemsets, is_installed
from tests.recommender.test_mining import IN_CI, random_baskets

pytestmark = [
    pytest.mark.skipif(
        not (is_installed(Engine.SPARK) or IN_CI), reason="pyspark is not installed: python -m tests.engines"
    ),
    pytest.mark.skipif(
        not (shutil.which("java") or IN_CI), reason="Spark needs Java, and there is none on this machine"
    ),
    # The connection to Java is Spark's own, and lasts until the process ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _one_java() -> Iterator[None]:
    """One Java for all tests of this file, ended with them."""
    yield
    from pyspark import SparkContext

    if SparkContext._gateway is not None:
        SparkContext._gateway.shutdown()
        SparkContext._gateway.proc.stdin.close()
        SparkContext._gateway.proc.wait(timeout=60)
        SparkContext._gateway = SparkContext._jvm = None


@pytest.mark.parametrize(("min_count", "max_length"), [(12, None), (5, 3)])
def test_spark_finds_the_same_sets_when_baskets_are_many(min_count: int, max_length: int | None) -> None:
    baskets = random_baskets(1)
    ours, theirs = (find_itemsets(baskets, min_count, max_length, one) for one in (Engine.ECLAT, Engine.SPARK))
    assert list(theirs) == list(ours)


def test_spark_finds_the_same_sets_when_a_basket_is_giant() -> None:
    giant = [f"{number:05d}" for number in range(10_000)]
    baskets = baskets_of((0, order) for order in [giant, giant, giant[:3], giant[2:5], [], ["unknown"]])
    ours, theirs = (find_itemsets(baskets, 3, None, one) for one in (Engine.ECLAT, Engine.SPARK))
    assert list(theirs) == list(ours)


def test_no_session_is_left_when_spark_has_answered() -> None:
    from pyspark.sql import SparkSession

    find_itemsets(baskets_of((0, order) for order in [["a", "b"]] * 3), 2, engine=Engine.SPARK)
    assert SparkSession.getActiveSession() is None


def test_spark_is_not_started_when_there_is_nothing_to_mine() -> None:
    assert len(find_itemsets(baskets_of([]), 1, engine=Engine.SPARK)) == 0
    assert len(find_itemsets(baskets_of([(0, ["a"]), (0, ["a"])]), 2, engine=Engine.SPARK)) == 1
