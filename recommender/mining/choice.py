"""The one way in: which engine mines, and what it answers. Every engine gives the same sets.

eclat is ours and the default. mlxtend is the reference that the others are held against; pyfim is the fastest in C and
takes the baskets as Python's lists; Spark is for orders that one machine does not hold.
"""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING

from core.errors import EnvironmentFaultError, InputError
from recommender.baskets import Baskets
from recommender.mining import eclat, fpgrowth, pyfim, spark
from recommender.mining.frames import frame_of
from recommender.mining.itemsets import Itemsets

if TYPE_CHECKING:
    from pandas import DataFrame

_LARGE = 200_000_000  # products in all baskets together: below it one process has room and is faster


class Engine(StrEnum):
    AUTO = "auto"
    ECLAT = "eclat"
    MLXTEND = "mlxtend"
    PYFIM = "pyfim"
    SPARK = "spark"


_MODULES = {Engine.MLXTEND: "mlxtend", Engine.PYFIM: "fim", Engine.SPARK: "pyspark"}
_SEARCHES = {
    Engine.ECLAT: eclat.find_itemsets,
    Engine.MLXTEND: fpgrowth.find_itemsets,
    Engine.PYFIM: pyfim.find_itemsets,
    Engine.SPARK: spark.find_itemsets,
}


def mine(
    baskets: Baskets, min_count: int, max_length: int | None = None, engine: Engine | str = Engine.AUTO
) -> DataFrame:
    """All sets of up to `max_length` products that at least `min_count` baskets hold, as mlxtend's frame.

    `support` is the share of all given baskets, `itemsets` a frozenset of skus; rows are sorted by length, then by sku.
    Raises InputError for an engine that is unknown, EnvironmentFaultError for one that is not installed.
    """
    return frame_of(find_itemsets(baskets, min_count, max_length, engine))


def find_itemsets(
    baskets: Baskets, min_count: int, max_length: int | None = None, engine: Engine | str = Engine.AUTO
) -> Itemsets:
    """The same in columns, which is what rules are made of. A `min_count` below 1 counts as 1."""
    search = _SEARCHES[choose_engine(engine, len(baskets.items))]
    return Itemsets(baskets.skus, len(baskets), tuple(search(baskets, max(min_count, 1), max_length)))


def choose_engine(asked: Engine | str, entry_count: int) -> Engine:
    """The engine for baskets that hold `entry_count` products together.

    By itself it is Eclat, and Spark for more than one process should hold, where Spark is installed.
    """
    engine = get_engine(asked)
    if engine is Engine.AUTO:
        return Engine.SPARK if entry_count > _LARGE and is_installed(Engine.SPARK) else Engine.ECLAT
    return engine


def get_engine(name: Engine | str) -> Engine:
    """By its name. Raises InputError for an unknown engine, EnvironmentFaultError for one that is not installed."""
    if name not in tuple(Engine):
        raise InputError(f"there is no mining engine {str(name)!r}: take one of {', '.join(Engine)}.")
    engine = Engine(name)
    if not is_installed(engine):
        raise EnvironmentFaultError(
            f"the mining engine {engine.value!r} is not installed: run `pip install 'postilion[{engine.value}]'`, "
            f"or take the engine {Engine.ECLAT.value!r}."
        )
    return engine


def is_installed(engine: Engine) -> bool:
    module = _MODULES.get(engine)
    return module is None or find_spec(module) is not None
