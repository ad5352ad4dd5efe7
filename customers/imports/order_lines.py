"""Order lines parsed column by column, which is what makes the importer fast. Knows no database.

A line that is no sale is refused: no order number, a wrong date, number or price, nothing or less than nothing ordered
without being a return, a price of nothing (samples and corrections of stock would stand in baskets that nobody chose)
or below it (corrections in the books).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from customers.addresses import NOBODY
from customers.countries import find_country
from customers.imports import values
from customers.imports.job import Job
from customers.imports.rows import Parser, identifier_parser, text_parser
from customers.imports.sources import Batch, Refused
from customers.imports.values import Memo, Reason, RefusedError
from customers.money import minor_digits, round_minor
from customers.tables import IdentityKind, LineKind

_LARGEST = 2**62
RETURN_SUFFIX = ":return"
_PRODUCT = LineKind.PRODUCT.value

Customer = tuple[str | None, str | None]  # external id, e-mail
Line = tuple[str, int, str, str, int, int]  # order key, line number, kind, sku, quantity, amount
Sold = tuple[int, str | None, int | Decimal | None, str]  # placed at, name, minor units for one piece, currency


@dataclass(frozen=True, slots=True)
class Head:
    """What the first line of an order says about the order; `placed_at` in microseconds."""

    is_return: bool
    placed_at: int
    currency: str
    customer: Customer | None
    country: str | None


@dataclass(slots=True)
class AcceptedLines:
    """`places` are those of the lines within the batch, in step with `lines`."""

    lines: list[Line] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)  # of orders that are not known yet
    sold: dict[str, Sold] = field(default_factory=dict)  # by sku, the latest
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch turned by a quarter: one tuple a column."""

    cells: Sequence[tuple[Any, ...]]
    height: int


def columns_of(batch: Batch) -> Columns:
    return Columns(list(zip(*batch.rows, strict=True)), len(batch.rows))


# The parsed cells of one line; each may be a Reason instead.
_Parsed = tuple[Any, Any, Any, Any, Any, Any, Any, bool]


class LineParser:
    """Parses the batches of one job; remembers what cells came to."""

    def __init__(self, job: Job) -> None:
        mapping = job.mapping
        self._mapping = mapping
        self._places = {name: place for place, name in enumerate(job.columns)}
        self._priced_by = "unit_price" if "unit_price" in mapping.columns else "amount"
        latest = values.latest_acceptable(job.now)
        date = partial(values.micros, zone=job.zone, layout=mapping.columns["placed_at"].format, latest=latest)
        whole = partial(values.integer, reason="wrong_quantity", scale=mapping.columns["quantity"].scale)
        parsers: dict[str, Parser] = {
            "order_id": _required(text_parser("wrong_order_id", 150), "missing_order_id"),
            "placed_at": _required(date, "missing_date"),
            "sku": _required(self._article, "missing_sku"),
            "quantity": _required(whole, "missing_quantity"),
            "currency": partial(_currency, default=job.currency),
            "external_id": _external_id,
            "email": identifier_parser(IdentityKind.EMAIL),
            "country": lambda cell: find_country(values.text(cell) or ""),
            "name": values.text,
        }
        self._memos = {name: Memo(parse) for name, parse in parsers.items()}
        self._prices = Memo(self._price)
        returns = mapping.returns
        self._returned = Memo(
            lambda cell: returns is not None and (values.text(cell) or "").startswith(returns.starts_with)
        )
        # Where the order number itself tells a return, the numbers of orders and returns differ already.
        number = mapping.columns["order_id"].column
        self._suffix = RETURN_SUFFIX if returns is not None and returns.column != number else ""

    def keys(self, columns: Columns) -> list[str | Reason]:
        """The key of each line's order, or why it has none."""
        prefix = f"{self._mapping.source}:"
        numbers = self._parsed("order_id", columns)
        if not self._suffix:
            return [number if type(number) is Reason else prefix + number for number in numbers]
        return [
            number if type(number) is Reason else prefix + number + self._suffix * is_return
            for number, is_return in zip(numbers, self._returns(columns), strict=True)
        ]

    def accept(
        self,
        batch: Batch,
        columns: Columns,
        keys: Sequence[str | Reason],
        positions: Sequence[int],
        currencies: Mapping[str, str],
    ) -> AcceptedLines:
        """The good lines of `batch`; `currencies` are those of the orders that are stored already, by key."""
        accepted = AcceptedLines(refused=list(batch.malformed))
        lines, places, heads, sold = accepted.lines, accepted.places, accepted.heads, accepted.sold
        names, countries = self._parsed("name", columns), self._parsed("country", columns)
        by_piece = self._priced_by == "unit_price"
        currency_of = dict(currencies)
        for place, (key, position, line) in enumerate(zip(keys, positions, self._lines(columns), strict=True)):
            verdict = key if isinstance(key, Reason) else _judge(line, by_piece)
            placed_at, article, _, price, currency, external_id, email, is_return = line
            if not isinstance(verdict, Reason):
                known = currency_of.get(key)
                if known is None:
                    customer = (external_id, email) if external_id or email else None
                    heads[key] = Head(is_return, placed_at, currency, customer, countries[place])
                    currency_of[key] = currency
                elif known != currency:
                    verdict = Reason("mixed_currency")
            if isinstance(verdict, Reason):
                accepted.refused.append(Refused(batch.lines[place], verdict, batch.rows[place]))
                continue
            kind, sku = article
            lines.append((key, position, kind, sku, *verdict))
            places.append(place)
            if kind == _PRODUCT and not is_return:
                before = sold.get(sku)
                if before is None or placed_at >= before[0]:
                    name = names[place] or (before[1] if before else None)
                    sold[sku] = (placed_at, name, price if by_piece else None, currency)
        return accepted

    def _lines(self, columns: Columns) -> Iterable[_Parsed]:
        currencies = self._parsed("currency", columns)
        prices = zip(self._raw(self._priced_by, columns), currencies, strict=True)
        return zip(
            self._parsed("placed_at", columns),
            self._parsed("sku", columns),
            self._parsed("quantity", columns),
            [self._prices[pair] for pair in prices],
            currencies,
            self._parsed("external_id", columns),
            self._parsed("email", columns),
            self._returns(columns),
            strict=True,
        )

    def _raw(self, name: str, columns: Columns) -> Sequence[Any]:
        column = self._mapping.columns.get(name)
        if column is None or column.column is None:
            return [column.value if column else None] * columns.height
        return columns.cells[self._places[column.column]]

    def _parsed(self, name: str, columns: Columns) -> list[Any]:
        memo = self._memos[name]
        column = self._mapping.columns.get(name)
        if column is None or column.column is None:
            return [memo[column.value if column else None]] * columns.height
        return [memo[cell] for cell in columns.cells[self._places[column.column]]]

    def _returns(self, columns: Columns) -> list[bool]:
        if self._mapping.returns is None:
            return [False] * columns.height
        return [self._returned[cell] for cell in columns.cells[self._places[self._mapping.returns.column]]]

    def _article(self, cell: Any) -> tuple[str, str] | None:
        """(kind, sku)"""
        sku = values.text(cell)
        if sku is None:
            return None
        if len(sku) > 100 or not sku.isprintable():
            raise RefusedError("wrong_sku")
        codes = self._mapping.product_codes
        return _PRODUCT if codes is None or codes.search(sku) else LineKind.FEE.value, sku

    def _price(self, pair: tuple[Any, str | Reason]) -> int | Decimal | Reason:
        """Minor units; a Decimal where a piece costs a fraction of one."""
        cell, currency = pair
        if type(currency) is Reason:
            return currency
        amount = values.number(cell, "wrong_price", self._mapping.columns[self._priced_by].scale)
        if amount is None:
            raise RefusedError("missing_price")
        minor = amount.scaleb(minor_digits(currency))
        return int(minor) if minor == minor.to_integral_value() else minor


def _judge(line: _Parsed, by_piece: bool) -> tuple[int, int] | Reason:
    """(quantity, amount) of a line that is a sale or a return, both negative for a return."""
    if Reason in map(type, line):
        return next(cell for cell in line if isinstance(cell, Reason))
    quantity, price, is_return = line[2], line[3], line[7]
    if quantity == 0:
        return Reason("zero_quantity")
    if is_return:
        quantity = -abs(quantity)
        price = price if by_piece else -abs(price)
    elif quantity < 0:
        return Reason("negative_quantity")
    if price == 0:
        return Reason("zero_price")
    if price < 0 and (by_piece or not is_return):
        return Reason("negative_price")
    amount = quantity * price if by_piece else price
    if type(amount) is not int:
        amount = round_minor(amount)
    return (quantity, amount) if abs(amount) < _LARGEST else Reason("wrong_price")


def _required(parse: Parser, reason: str) -> Parser:
    def parse_present(cell: Any) -> Any:
        value = parse(cell)
        if value is None:
            raise RefusedError(reason)
        return value

    return parse_present


def _external_id(cell: Any) -> str | None:
    """The customer; a word such as "guest" is nobody, whose basket is kept all the same."""
    word = values.text(cell)
    if word is None or word.lower() in NOBODY:
        return None
    parsed: str | None = identifier_parser(IdentityKind.EXTERNAL_ID)(word)
    return parsed


def _currency(cell: Any, default: str) -> str:
    word = values.text(cell)
    if word is None:
        return default
    if len(word) != 3 or not word.isascii() or not word.isalpha():
        raise RefusedError("unknown_currency")
    return word.upper()
