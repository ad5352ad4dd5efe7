"""Frequent itemsets by Spark's parallel FP-growth (Li, Wang, Zhang, Zhang, Chang 2008): an extra, for what one machine
does not hold.

Spark runs where its own configuration says (`spark-defaults.conf`), and on all cores of this machine where that says
nothing. It needs Java. The session is ours alone and is closed with the answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import EnvironmentFaultError
from recommender.baskets import Baskets
from recommender.mining.itemsets import Level, compressed, frequent_items, levels_of, transactions_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_STACK = "64m"
_LOOPBACK = "127.0.0.1"


def find_itemsets(baskets: Baskets, min_count: int, max_length: int | None) -> list[Level]:
    """All sets of up to `max_length` products that at least `min_count` (1 or more) baskets hold, by length.

    Raises EnvironmentFaultError where Java is missing.
    """
    singles = frequent_items(baskets, min_count)
    if singles is None:
        return []
    kept = compressed(baskets, singles)
    if max_length == 1 or len(kept) < min_count:
        return [singles]
    with _session() as session:
        return [singles, *levels_of(_larger_sets(session, kept, min_count, max_length))]


def _larger_sets(
    session: SparkSession, baskets: Baskets, min_count: int, max_length: int | None
) -> Iterator[tuple[list[int], int]]:
    from pyspark.ml.fpm import FPGrowth
    from pyspark.sql import functions

    rows = [(items,) for items in transactions_of(baskets)]
    frame = session.createDataFrame(rows, "items array<int>")
    # Spark rounds the share of all baskets up to a number of them: half a basket less is safe from rounding.
    sets = FPGrowth(minSupport=(min_count - 0.5) / len(baskets)).fit(frame).freqItemsets
    length = functions.size("items")
    wanted = sets.where(length > 1 if max_length is None else length.between(2, max_length))
    for row in wanted.collect():
        yield row["items"], row["freq"]


@contextmanager
def _session() -> Iterator[SparkSession]:
    """A session for one answer, or the one that the caller's process has already and keeps."""
    from pyspark.sql import SparkSession

    given = SparkSession.getActiveSession()
    if given is not None:
        yield given
        return
    with warnings.catch_warnings():
        # pyspark warns of pandas 3 at its first start; it gets no pandas from us.
        warnings.simplefilter("ignore", FutureWarning)
        session = _start()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def _start() -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    before = SparkConf()
    for side in ("driver", "executor"):
        # Spark writes its trees recursively, as deep as the longest basket.
        before.set(f"spark.{side}.defaultJavaOptions", f"-Xss{_STACK}")
    try:
        SparkContext._ensure_initialized(conf=before)  # starts Java, which then knows what Spark's own files say
    except PySparkRuntimeError as error:
        raise EnvironmentFaultError(
            "the mining engine 'spark' could not start Java: install Java 17, or take the engine 'eclat'."
        ) from error
    settings = SparkConf().setAppName("postilion").set("spark.ui.enabled", "false")
    settings.set("spark.ui.showConsoleProgress", "false")
    if settings.get("spark.master", "local").startswith("local"):
        settings.set("spark.driver.host", _LOOPBACK).set("spark.driver.bindAddress", _LOOPBACK)
    return SparkSession.builder.config(conf=settings).getOrCreate()
