"""Draws a crowd for the benchmark of segments: rows as plain tuples, the same for a seed, with the skew of a real shop.

On average five order lines and ten events a person. A few buy much and most little or nothing; opens are a person's or
a machine's; everybody has a favourite category; some orders are led up to by a look and a basket. Instants are
microseconds, money is in pence. Nothing is sealed: conditions never read what is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.crowd import NOW
from core.clock import to_micros

SEED = 20_260_610
CATEGORIES = (
    "tea", "coffee", "teapots", "mugs", "honey", "biscuits", "lamps", "candles", "vases", "cushions", "rugs", "clocks",
    "cards", "ribbons", "bags", "toys", "puzzles", "books", "seeds", "pots", "tools", "soap", "towels", "baskets",
)  # fmt: skip
PRODUCTS = 2_400
LISTS = ("press", "friends")

Rows = Mapping[str, Sequence[tuple[Any, ...]] | Iterator[tuple[Any, ...]]]
Numbers = NDArray[np.int64]

COLUMNS: Mapping[str, str] = {
    "profile": "id status created_at updated_at timezone country locale has_email email_provider has_phone "
    "phone_country birth_month birth_day objected_at attributes sealed_attributes",
    "identity": "profile_id kind lookup sealed is_verified is_synthetic is_claimed created_at",
    "consent_entry": "key lookup profile_id channel topic status basis source occurred_at recorded_at",
    "static_list_member": "list profile_id added_at",
    "customer_order": "id key kind transaction_no profile_id placed_at currency total line_count",
    "order_line": "order_id line_no kind sku quantity amount",
    "message": "id kind channel profile_id topic template origin_kind origin origin_id status due_at first_due_at "
    "sent_at delivered_at ended_at priority policy attempt_count token_id created_at",
    "engagement_event": "transaction_no message_id profile_id kind link_no occurred_at human_probability reasons",
    "event": "profile_id name occurred_at properties",
}

_DAY = 86_400_000_000  # microseconds
_NOW = to_micros(NOW)
_TODAY = _NOW // _DAY
_FAR = 730 * _DAY
_COUNTRIES = np.array(["GB", "DE", "FR", "US", "IE", "JP"])
_COUNTRY_SHARES = [0.55, 0.15, 0.1, 0.1, 0.07, 0.03]
_ZONES: Mapping[str, str | None] = {
    "GB": "Europe/London", "DE": "Europe/Berlin", "FR": "Europe/Paris", "US": "America/New_York",
    "IE": None, "JP": "Asia/Tokyo",
}  # fmt: skip
_LOCALES = {"GB": "en_GB", "DE": "de_DE", "FR": "fr_FR", "US": "en_US", "IE": "en_IE", "JP": "ja_JP"}
_PROVIDERS = np.array(["gmail.example", "outlook.example", "icloud.example", "mail.example", "shop.example"])
_SEALED = bytes(180)  # as long as a sealed document; nothing opens it
_ORDERS = (0.8, 0.8 / (0.8 + 1.8))  # negative binomial: 1.8 orders a person, 39 % have none
_LINES = (1, 1 / 2.8)  # … 2.8 lines an order
_EVENTS = (0.9, 0.9 / (0.9 + 7.1))
_NAMES = ("page_viewed", "product_viewed", "product_added", "message_opened", "link_clicked")
_NAME_SHARES = [0.24, 0.36, 0.1, 0.22, 0.08]


@dataclass(frozen=True, slots=True)
class _Buying:
    """The orders of a chunk, one number each: whose, when, which line is its first."""

    who: Numbers
    at: Numbers
    first_line: Numbers
    line_count: Numbers


def draw(first: int, count: int, first_order: int) -> tuple[Rows, int]:
    """The rows of people `first` to `first + count - 1` by table, and how many orders are among them.

    Orders are numbered from `first_order`. `event` stands for `customer_event`, without what is the same in all rows.
    """
    random = np.random.default_rng([SEED, first])
    ids = np.arange(first, first + count)
    is_active = random.random(count) < 0.35
    recency = np.minimum(random.exponential(np.where(is_active, 3, 120)), 600) * _DAY
    favourite = (random.random(count) ** 2 * len(CATEGORIES)).astype(np.int64)
    buying = _buy(random, ids, recency)
    rows, order_count = _orders(random, buying, ids, first_order)
    last_order = np.zeros(count, np.int64)
    np.maximum.at(last_order, buying.who, buying.at)
    people = _people(random, ids, last_order)
    return {**people, **rows, "event": _events(random, ids, recency, favourite, buying, rows["event"])}, order_count


def _people(random: np.random.Generator, ids: Numbers, last_order: Numbers) -> Rows:
    count = len(ids)
    countries = random.choice(_COUNTRIES, count, p=_COUNTRY_SHARES).tolist()
    providers = _PROVIDERS[(random.random(count) ** 2 * len(_PROVIDERS)).astype(np.int64)].tolist()
    created = (_NOW - (random.random(count) * 900 * _DAY).astype(np.int64)).tolist()
    has_phone = random.random(count) < 0.6
    month = np.where(random.random(count) < 0.7, random.integers(1, 13, count), 0).tolist()
    day = random.integers(1, 29, count).tolist()
    objected = np.where(random.random(count) < 0.003, _NOW - 30 * _DAY, 0).tolist()
    tier = np.array(["plain", "silver", "gold"])[random.choice(3, count, p=[0.8, 0.15, 0.05])].tolist()
    visits = random.negative_binomial(1, 0.02, count).tolist()
    state = random.random(count).tolist()
    on_list = random.random(count).tolist()
    ordered = (last_order // _DAY).tolist()
    who = ids.tolist()
    documents = [
        f'{{"tier":"{tier[i]}","visits":{visits[i]},"shop":"{who[i] % 41}"'
        + (f',"last_order_day":{ordered[i]}}}' if ordered[i] else "}")
        for i in range(count)
    ]
    lookups = [f"1:{one * 0x9E3779B97F4A7C15 % 2**64:016x}{one:08x}" for one in who]
    profiles = [
        (
            who[i], "active", created[i], created[i], _ZONES[countries[i]], countries[i], _LOCALES[countries[i]],
            True, providers[i], bool(has_phone[i]), countries[i] if has_phone[i] else None, month[i] or None,
            day[i] if month[i] else None, objected[i] or None, documents[i], _SEALED,
        )
        for i in range(count)
    ]  # fmt: skip
    identities = [
        row
        for i in range(count)
        for row in (
            (who[i], "email", lookups[i], _SEALED[:60], True, False, False, created[i]),
            (who[i], "external_id", f"C{who[i]:08d}", None, False, False, False, created[i]),
        )
    ]
    consents = [
        (
            f"bench:{who[i]}", lookups[i], who[i], "email", "marketing", "granted" if state[i] < 0.7 else "withdrawn",
            "opt_in", "import:bench", created[i], created[i],
        )
        for i in range(count)
        if state[i] < 0.8
    ]  # fmt: skip
    lists = [(LISTS[share < 0.01], who[i], created[i]) for i, share in enumerate(on_list) if share < 0.03]
    return {
        "profile": profiles,
        "identity": identities,
        "consent_entry": consents,
        "static_list_member": lists,
        **_mailing(random, who),
    }


def _mailing(random: np.random.Generator, ids: Sequence[int]) -> Rows:
    """One letter to every third, and what people and machines did with it."""
    messages: list[tuple[Any, ...]] = []
    engagements: list[tuple[Any, ...]] = []
    for number, chance, human in zip(ids, random.random(len(ids)), random.beta(0.6, 0.4, len(ids)), strict=True):
        if number % 3:
            continue
        at = _NOW - 20 * _DAY + number % 7_200 * 1_000_000
        mid = f"00000000-0000-7000-8000-{number:012x}"
        messages.append((
            mid, "marketing", "email", number, "marketing", "spring", "campaign", "spring", "spring-1", "sent", at, at,
            at, at + 1_000_000, at, 50, "{}", 1, number, at,
        ))  # fmt: skip
        if chance < 0.4:
            engagements.append((0, mid, number, "opened", None, at + 3_600_000_000, round(float(human), 3), "[]"))
        if chance < 0.1:
            engagements.append((0, mid, number, "clicked", 1, at + 3_660_000_000, round(float(human), 3), "[]"))
    return {"message": messages, "engagement_event": engagements}


def _buy(random: np.random.Generator, ids: Numbers, recency: NDArray[np.float64]) -> _Buying:
    who = np.repeat(np.arange(len(ids)), random.negative_binomial(*_ORDERS, len(ids)))
    at = _past(random, recency[who])
    line_count = np.minimum(1 + random.negative_binomial(*_LINES, len(who)), 20)
    return _Buying(who, at, np.cumsum(line_count) - line_count, line_count)


def _orders(random: np.random.Generator, buying: _Buying, ids: Numbers, first_order: int) -> tuple[dict[str, Any], int]:
    """Orders, a return of the first line for every thirtieth, their lines, and the log events that go with them."""
    count = len(buying.who)
    total_lines = int(buying.line_count.sum())
    product = (random.random(total_lines) ** 3 * PRODUCTS).astype(np.int64)
    quantity = 1 + random.negative_binomial(1, 0.5, total_lines)
    amount = quantity * (300 + product * 7 % 4_000)
    totals = np.add.reduceat(amount, buying.first_line).tolist() if count else []
    skus, quantities, amounts = [f"S{one:04d}" for one in product.tolist()], quantity.tolist(), amount.tolist()
    returned = (random.random(count) < 1 / 30).tolist()
    orders: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    returns: list[tuple[int, int, int]] = []
    who, at = ids[buying.who].tolist(), buying.at.tolist()
    for i, (start, length) in enumerate(zip(buying.first_line.tolist(), buying.line_count.tolist(), strict=True)):
        number, span = first_order + i, range(start, start + length)
        orders.append((number, f"bench:{number}", "order", 0, who[i], at[i], "GBP", totals[i], length))
        lines += [(number, place, "product", skus[j], quantities[j], amounts[j]) for place, j in enumerate(span, 1)]
        names, items = '","'.join(sorted({skus[j] for j in span})), sum(quantities[start : start + length])
        events.append((who[i], "order_placed", at[i], _bought(number, totals[i], items, names)))
        if returned[i] and at[i] + 5 * _DAY < _NOW:
            returns.append((i, start, at[i] + 5 * _DAY))
    for number, (i, j, when) in enumerate(returns, first_order + count):
        orders.append((number, f"bench:{number}", "return", 0, who[i], when, "GBP", -amounts[j], 1))
        lines.append((number, 1, "product", skus[j], -quantities[j], -amounts[j]))
        events.append((who[i], "order_returned", when, _bought(number, -amounts[j], -quantities[j], skus[j])))
    return {"customer_order": orders, "order_line": lines, "event": events}, len(orders)


def _bought(number: int, total: int, items: int, skus: str) -> str:
    return f'{{"order_id":"bench:{number}","total":{total},"currency":"GBP","item_count":{items},"skus":["{skus}"]}}'


def _events(
    random: np.random.Generator,
    ids: Numbers,
    recency: NDArray[np.float64],
    favourite: Numbers,
    buying: _Buying,
    of_orders: Sequence[tuple[Any, ...]],
) -> Iterator[tuple[Any, ...]]:
    """Whatever else people did: of itself, and before every third order a look and a basket."""
    who = np.repeat(np.arange(len(ids)), random.negative_binomial(*_EVENTS, len(ids)))
    at = _in_visits(random, who, _past(random, recency[who]))
    kind = random.choice(len(_NAMES), len(who), p=_NAME_SHARES)
    led = np.flatnonzero(random.random(len(buying.who)) < 0.3)
    gap = (random.random(len(led)) * 4 * _DAY).astype(np.int64) + 2
    who = np.concatenate([who, buying.who[led], buying.who[led]])
    at = np.concatenate([at, buying.at[led] - gap, buying.at[led] - gap // 2])
    kind = np.concatenate([kind, np.full(len(led), 1), np.full(len(led), 2)])
    product = (random.random(len(who)) ** 3 * PRODUCTS).astype(np.int64)
    liked = random.random(len(who)) < 0.6
    product = np.where(liked, product - product % len(CATEGORIES) + favourite[who], product)
    is_human = random.random(len(who)) < 0.65
    columns = (ids[who], kind, at, product, is_human)
    yield from of_orders
    for person, which, when, item, human in zip(*(column.tolist() for column in columns), strict=True):
        yield person, _NAMES[which], when, _properties(which, item, human)


def _properties(kind: int, product: int, is_human: bool) -> str:
    if kind == 0:
        return f'{{"path":"/p/{product}"}}'
    if kind < 3:
        return f'{{"sku":"S{product:04d}","category":"{CATEGORIES[product % len(CATEGORIES)]}"}}'
    answer = "true" if is_human else "false"
    link = "" if kind == 3 else f',"link_no":{product % 6 + 1}'
    return f'{{"channel":"email","topic":"marketing","origin":"letter_{product % 50}","is_human":{answer}{link}}}'


def _past(random: np.random.Generator, recency: NDArray[np.float64]) -> Numbers:
    """Instants before now: none newer than `recency`, most within the months before it, none two years old."""
    age = np.minimum(
        recency + random.exponential(100, len(recency)) * _DAY, _FAR * (1 - random.random(len(recency)) / 9)
    )
    return _NOW - 1 - age.astype(np.int64)


def _in_visits(random: np.random.Generator, who: Numbers, at: Numbers) -> Numbers:
    """Up to four things that one person does follow each other within minutes."""
    lead = np.arange(len(who)) // 4 * 4
    minutes = (random.random(len(who)) * 20 * 60_000_000).astype(np.int64)
    return np.where(who[lead] == who, at[lead] - minutes, at)
