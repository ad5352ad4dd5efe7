"""How well baskets are completed on Online Retail, beside best sellers and known methods: learnt before 2011-09-30,
3,000 later invoices asked about. `make bench NAME=recommender_quality`; the last line is one JSON object.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np

from recommender.baskets import baskets_of
from recommender.evaluation.comparison import OURS, PEERS
from recommender.evaluation.questions import Purchases, Surface
from recommender.evaluation.trial import Trial, try_out
from recommender.parameters import RuleParameters

DATA = Path(__file__).parents[2] / "shared" / "data" / "online_retail.parquet"
CUT = datetime(2011, 9, 30, tzinfo=UTC)

# No cancellation, no return, no gift and no fee: 19,773 baskets over 3,900 products.
_CLEANED = """
SELECT epoch_us(min(InvoiceDate)), list(DISTINCT StockCode ORDER BY StockCode), any_value(CustomerID)
FROM read_parquet(?)
WHERE InvoiceNo NOT LIKE 'C%' AND Quantity > 0 AND UnitPrice > 0 AND regexp_matches(StockCode, '^[0-9]{5}')
GROUP BY InvoiceNo ORDER BY 1, InvoiceNo
"""


def read_online_retail(file: Path = DATA) -> Purchases:
    """The cleaned invoices as baskets. Raises FileNotFoundError without the data."""
    if not file.exists():
        raise FileNotFoundError(f"the real data is missing: put {file.name} into {file.parent}")
    with duckdb.connect() as connection:
        rows = connection.execute(_CLEANED, [str(file)]).fetchall()
    customers = [-1 if number is None or number != number else int(number) for _, _, number in rows]  # NaN: nobody
    return Purchases(baskets_of((at, skus) for at, skus, _ in rows), np.array(customers, dtype=np.int64))


def try_online_retail(purchases: Purchases, surfaces: tuple[Surface, ...] = (Surface.BASKET,)) -> Trial:
    """The trial by the published protocol, on some surfaces."""
    return try_out(purchases, CUT, surfaces, most=3000, seed=1, parameters=RuleParameters())


def measure_quality() -> dict[str, float]:
    """`hit_rate_10` and `ndcg_10` of ours, the same of each peer (`…_tfidf`, `…_bm25`, `…_als`), and how far ours are
    ahead of the best of them (`hit_rate_lead`, `ndcg_lead`). Without the library `implicit`, ALS is left out.
    """
    purchases = read_online_retail()
    figures = try_online_retail(purchases).surfaces[0].figures
    names = {OURS: "", **dict(zip(PEERS, ("_tfidf", "_bm25", "_als"), strict=True)), "popularity": "_popularity"}
    found = {
        f"{figure}_10{ending}": getattr(figures[name], figure)
        for name, ending in names.items()
        if name in figures
        for figure in ("hit_rate", "ndcg")
    }
    rivals = [figures[name] for name in PEERS if name in figures]
    found["hit_rate_lead"] = figures[OURS].hit_rate - max(one.hit_rate for one in rivals)
    found["ndcg_lead"] = figures[OURS].ndcg - max(one.ndcg for one in rivals)
    return found


if __name__ == "__main__":
    print(json.dumps({name: round(value, 4) for name, value in measure_quality().items()}))
