"""Rows that are wrong on purpose, as real exports have them, so that rejects can be counted against the truth.

Wrong rows are added beside the valid ones, never in their place: dropping all of them leaves the planted data intact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

Row = dict[str, object]
Spoil = Callable[[Row, int], Row]


def _renamed(row: Row, number: int) -> Row:
    """A person of one's own, so that a rejected row belongs to nobody else."""
    return row | {
        "external_id": f"dirt-{number:05d}",
        "email": f"dirt.{number}@mail.sandbox.invalid",
        "phone": "",
    }


# reason -> (share of the clean rows, how a copy of a clean row is spoilt)
PROFILE_DIRT: Final[dict[str, tuple[float, Spoil]]] = {
    "wrong_email": (0.008, lambda row, n: _renamed(row, n) | {"email": f"dirt.{n}(at)mail"}),
    "impossible_birthday": (0.006, lambda row, n: _renamed(row, n) | {"birthday": "1987-02-30"}),
    "unknown_zone": (0.004, lambda row, n: _renamed(row, n) | {"timezone": "Mars/Base"}),
    "duplicate_row": (0.005, lambda row, _: dict(row)),
}
ORDER_DIRT: Final[dict[str, tuple[float, Spoil]]] = {
    "negative_quantity": (0.006, lambda row, _: row | {"quantity": -3, "status": "placed"}),
    "bad_date": (0.003, lambda row, _: row | {"placed_at": "31/02/2026 12:00"}),
    "bad_price": (0.003, lambda row, _: row | {"unit_price": "n/a"}),
    "missing_order_id": (0.002, lambda row, _: row | {"order_id": ""}),
}
EVENT_DIRT: Final[dict[str, tuple[float, Spoil]]] = {
    "duplicate_row": (0.005, lambda row, _: dict(row)),
    "bad_timestamp": (0.002, lambda row, n: row | {"messageId": f"dirt-{n}", "timestamp": "yesterday"}),
    "missing_identity": (
        0.002,
        lambda row, n: (
            {key: value for key, value in row.items() if key not in ("userId", "anonymousId")}
            | {"messageId": f"dirt-{n}"}
        ),
    ),
}


def soiled(
    seed: int, rows: Sequence[Row], dirt: dict[str, tuple[float, Spoil]], stream: int
) -> tuple[list[Row], dict[str, list[int]]]:
    """All rows with wrong ones scattered among them, and by reason the places (from 0) of the wrong ones.

    A wrong row stands somewhere after the row it was copied from.
    """
    rng = np.random.default_rng((seed, 7, stream))
    after: dict[int, list[tuple[str, Row]]] = {}
    number = 0
    for reason, (share, spoil) in dirt.items():
        for source in rng.integers(0, len(rows), max(round(len(rows) * share), 1)).tolist():
            number += 1
            place = min(source + int(rng.integers(0, 40)), len(rows) - 1)
            after.setdefault(place, []).append((reason, spoil(rows[source], number)))
    result: list[Row] = []
    places: dict[str, list[int]] = {reason: [] for reason in dirt}
    for index, row in enumerate(rows):
        result.append(row)
        for reason, wrong in after.get(index, ()):
            places[reason].append(len(result))
            result.append(wrong)
    return result, places
