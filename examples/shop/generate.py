"""Writes a year of Fern & Kettle: people, products, orders, events, and the truth about what was planted in them.

Equal arguments give equal bytes. The data goes to a folder of its own, outside version control:
`python -m examples.shop.generate FOLDER`.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from examples.shop import baskets, browsing, dirt, responses, rhythms, staples
from examples.shop.calendar_shape import DAY, Seasons
from examples.shop.catalogue import Product, catalogue, planted_pairs
from examples.shop.people import Person, people
from examples.shop.truth import Truth, write_truth

NOW: Final = datetime(2026, 6, 10, 8, 0, tzinfo=UTC)
CURRENCY: Final = "GBP"
_GUEST_SHARE = 0.06
_RETURN_SHARE = 0.02


def generate(
    folder: Path,
    seed: int = 7,
    profiles: int = 5000,
    order_lines: int = 60000,
    events: int = 200000,
    now: datetime = NOW,
) -> Truth:
    """Fill `folder` (made where it is missing) and return what is planted; also written to `truth.json`.

    `profiles` and `events` are met exactly, `order_lines` within a few percent; wrong rows and returns come on top.
    `now` is aware; nothing in the data lies after it, and fourteen months lie before it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    seasons = Seasons(now)
    persons = people(seed, profiles, seasons.end)
    products = catalogue(seed)
    pairs = planted_pairs(products)
    target = round(order_lines / baskets.LINES_PER_ORDER)
    orders, habits = rhythms.order_times(seed, persons, seasons, target, _GUEST_SHARE)
    lines = baskets.fill(seed, orders, profiles, products, pairs, seasons)
    lines = staples.with_staples(seed, orders, products, lines)
    churned = rhythms.churners(persons, orders, habits, seasons)
    ends = {churner.external_id: datetime.fromisoformat(churner.last_order_at) for churner in churned}
    sheet = responses.responses(seed, persons, habits, churned)

    clean = _order_rows(seed, orders, lines, persons, products, seasons)
    profile_rows, profile_dirt = dirt.soiled(seed, [_profile_row(p) for p in persons], dirt.PROFILE_DIRT, 1)
    order_rows, order_dirt = dirt.soiled(seed, clean, dirt.ORDER_DIRT, 2)
    seen = browsing.browse(seed, persons, orders, lines, products, ends, seasons, events)
    event_rows, event_dirt = dirt.soiled(seed, seen, dirt.EVENT_DIRT, 3)

    _write_csv(folder / "profiles.csv", profile_rows)
    _write_csv(folder / "products.csv", [_product_row(product) for product in products])
    _write_csv(folder / "orders.csv", order_rows)
    _write_lines(folder / "events.jsonl", event_rows)
    soiled = {  # a CSV file has a header line before its first row
        "profiles.csv": {reason: [place + 2 for place in places] for reason, places in profile_dirt.items()},
        "orders.csv": {reason: [place + 2 for place in places] for reason, places in order_dirt.items()},
        "events.jsonl": {reason: [place + 1 for place in places] for reason, places in event_dirt.items()},
    }
    truth = Truth(
        seed=seed,
        now=seasons.end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        currency=CURRENCY,
        rows={"profiles.csv": len(profile_rows), "products.csv": len(products), "orders.csv": len(order_rows),
              "events.jsonl": len(event_rows)},
        rules=baskets.measured_rules(lines, len(orders), products, pairs),
        staples=staples.measured_staples(orders, lines, products),
        churners=churned,
        responses=sheet,
        bounces=_with_prefix(persons, "bounce+"),
        complaints=_with_prefix(persons, "complaint+"),
        out_of_office=_with_prefix(persons, "ooto+"),
        lift=responses.planted_lift(persons, sheet),
        anonymous_orders=int((orders.customer < 0).sum()),
        returned_lines=sum(row["status"] == "returned" for row in clean),
        dirt={file: {reason: len(at) for reason, at in reasons.items()} for file, reasons in soiled.items()},
        dirt_lines=soiled,
    )  # fmt: skip
    write_truth(truth, folder)
    return truth


def _with_prefix(persons: list[Person], prefix: str) -> list[str]:
    return [person.external_id for person in persons if person.email.startswith(prefix)]


def _profile_row(person: Person) -> dirt.Row:
    return {
        "external_id": person.external_id,
        "email": person.email,
        "phone": person.phone,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "birthday": person.birthday,
        "country": person.country,
        "city": person.city,
        "timezone": person.timezone,
        "locale": person.locale,
        "signed_up_at": _instant(person.signed_up_at),
        "consent_email": person.consent_email,
        "consent_email_at": _instant(person.consent_email_at),
        "consent_sms": person.consent_sms,
        "consent_sms_at": _instant(person.consent_sms_at),
    }


def _product_row(product: Product) -> dirt.Row:
    return {
        "sku": product.sku,
        "name": product.name,
        "category": product.category,
        "price": _pounds(product.price),
        "currency": CURRENCY,
        "stock": product.stock,
        "url": product.url,
        "image_url": product.image_url,
        "is_replenishable": "yes" if product.is_replenishable else "no",
    }


def _order_rows(
    seed: int,
    orders: rhythms.Orders,
    lines: baskets.Lines,
    persons: list[Person],
    products: list[Product],
    seasons: Seasons,
) -> list[dirt.Row]:
    """Order lines by time. A returned line comes back days later under a number of its own with negative quantity."""
    rng = np.random.default_rng((seed, 8))
    returned = rng.random(len(lines.order)) < _RETURN_SHARE
    delay = rng.integers(4 * DAY, 24 * DAY, len(lines.order))
    end = int(seasons.end.timestamp())
    placed_at, customer = orders.placed_at.tolist(), orders.customer.tolist()
    columns = (lines.order, lines.product, lines.quantity, lines.unit_price, returned, delay)
    rows: list[tuple[int, dirt.Row]] = []
    for order, product, quantity, price, comes_back, days in zip(*(c.tolist() for c in columns), strict=True):
        at = placed_at[order]
        row: dirt.Row = {
            "order_id": f"FK{100001 + order}",
            "placed_at": _instant(datetime.fromtimestamp(at, UTC)),
            "customer": persons[customer[order]].external_id if customer[order] >= 0 else "",
            "sku": products[product].sku,
            "quantity": quantity,
            "unit_price": _pounds(price),
            "currency": CURRENCY,
            "status": "placed",
        }
        rows.append((at, row))
        if comes_back and at + days < end:
            later = _instant(datetime.fromtimestamp(at + days, UTC))
            back = {
                "order_id": f"R{100001 + order}",
                "placed_at": later,
                "quantity": -quantity,
                "status": "returned",
            }
            rows.append((at + days, row | back))
    rows.sort(key=lambda row: row[0])
    return [row for _, row in rows]


def _pounds(pence: int) -> str:
    return f"{pence // 100}.{pence % 100:02d}"


def _instant(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z" if at else ""


def _write_csv(path: Path, rows: list[dirt.Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0].keys())
        writer.writerows(row.values() for row in rows)


def _write_lines(path: Path, rows: Iterable[dirt.Row]) -> None:
    encode = msgspec.json.Encoder().encode
    with path.open("wb", buffering=1 << 20) as file:
        for row in rows:
            file.write(encode(row) + b"\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the data goes; made where it is missing")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profiles", type=int, default=5000)
    parser.add_argument("--order-lines", type=int, default=60000)
    parser.add_argument("--events", type=int, default=200000)
    given = parser.parse_args()
    truth = generate(given.folder, given.seed, given.profiles, given.order_lines, given.events)
    counts = ", ".join(f"{file} {count:,}" for file, count in truth.rows.items())
    sys.stdout.write(f"{given.folder}: {counts}; the truth is in truth.json\n")


if __name__ == "__main__":
    main()
