"""What a call of the event spec is in our words: a customer event, an order, addresses and attributes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from core.errors import InputError
from customers.log import NewEvent
from customers.money import to_minor
from customers.orders import NewLine, NewOrder, order_key
from customers.own_events import OWN_EVENTS
from customers.tables import IdentityKind, LineKind, OrderKind
from tracking.events.event_spec import Call, CallKind

ORDER_COMPLETED: Final = "order_completed"

_MAX_NAME: Final = 100
_MAX_SKU: Final = 100
_MAX_ORDER_NUMBER: Final = 120
_MAX_DECISION: Final = 36
_MAX_QUANTITY: Final = 1_000_000
_MAX_AMOUNT: Final = 10**15  # minor units
_MAX_LINES: Final = 1_000
_FEES: Final = "fees"  # what an order's total has beyond its products: postage, tax, less discounts
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAMES: Final = {CallKind.PAGE: "page_viewed", CallKind.SCREEN: "screen_viewed", CallKind.GROUP: "group_joined"}
_PAGE_PROPERTIES: Final = ("path", "url", "title", "referrer")
_ADDRESSES: Final = {"email": IdentityKind.EMAIL, "phone": IdentityKind.PHONE}
_PLACES: Final = ("city", "country")


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of an identify call: addresses by their kind, and attributes by our names."""

    addresses: Mapping[IdentityKind, str]
    attributes: Mapping[str, Any]


def read_traits(traits: Mapping[str, Any]) -> Traits:
    """Names become ours (`firstName` is `first_name`); of an `address` its city and country are kept."""
    addresses: dict[IdentityKind, str] = {}
    attributes: dict[str, Any] = {}
    for name, value in traits.items():
        ours = snake_case(name)
        if ours in _ADDRESSES:
            if value:
                addresses[_ADDRESSES[ours]] = str(value)
        elif ours == "address" and isinstance(value, Mapping):
            attributes |= {place: value[place] for place in _PLACES if value.get(place)}
        elif ours and len(ours) <= _MAX_NAME:
            attributes[ours] = value
    return Traits(addresses, attributes)


def event_name(call: Call) -> str:
    """Our name of what a call reports. Raises InputError for none, and for a name that only Postilion itself uses."""
    name = _NAMES.get(call.kind) or snake_case(call.name or "")
    if not name or len(name) > _MAX_NAME:
        raise InputError(f"its event has no name of 1 to {_MAX_NAME} characters.")
    if name in OWN_EVENTS:
        raise InputError(f"'{name}' is an event that Postilion writes itself: choose another name.")
    return name


def to_event(call: Call, source: str) -> NewEvent:
    """The customer event, of nobody yet, that a track, page, screen or group call is."""
    properties = dict(call.properties)
    page = call.context.get("page")
    if call.kind is CallKind.PAGE and isinstance(page, Mapping):
        properties = {name: page[name] for name in _PAGE_PROPERTIES if page.get(name)} | properties
    if call.kind in (CallKind.PAGE, CallKind.SCREEN) and call.name:
        properties.setdefault("name", call.name)
    if call.kind is CallKind.GROUP:
        properties |= {"group_id": call.group_id}
    return NewEvent(event_name(call), call.occurred_at, source, f"{source}:{call.key}", properties=properties)


def to_order(call: Call, source: str, currency: str) -> NewOrder:
    """The order, of nobody yet, that an "Order Completed" call reports; `currency` is that of calls without one.

    Prices are per piece and in whole units. What `total` has beyond the products becomes one line of fees. Raises
    InputError with what is missing.
    """
    properties = call.properties
    number = str(properties.get("order_id") or "").strip()
    if not number or len(number) > _MAX_ORDER_NUMBER or not number.isprintable():
        raise InputError("the order has no order_id.")
    currency = str(properties.get("currency") or currency).upper()
    if not _CURRENCY.fullmatch(currency):
        raise InputError("its currency is no ISO 4217 code such as GBP.")
    products = properties.get("products")
    if not isinstance(products, list) or not products or len(products) > _MAX_LINES:
        raise InputError(f"the order has no list of 1 to {_MAX_LINES:,} products.")
    lines = [_line(line_no, product, currency) for line_no, product in enumerate(products, start=1)]
    total = properties.get("total")
    fees = _minor(total, currency, "total") - sum(line.amount for line in lines) if total is not None else 0
    if fees:
        lines.append(NewLine(len(lines) + 1, _FEES, 1, fees, LineKind.FEE))
    decision = properties.get("decision_id")
    return NewOrder(
        key=order_key(source, number),
        kind=OrderKind.ORDER,
        profile_id=None,
        placed_at=call.occurred_at,
        currency=currency,
        lines=lines,
        decision_id=str(decision) if decision and len(str(decision)) <= _MAX_DECISION else None,
    )


@lru_cache(maxsize=4_096)
def snake_case(name: str) -> str:
    """`Product Viewed`, `productViewed` and `product-viewed` are all `product_viewed`."""
    return "_".join(re.findall(r"[^\W_]+", _HUMP.sub(" ", name))).lower()


def _line(line_no: int, product: Any, currency: str) -> NewLine:
    if not isinstance(product, Mapping):
        raise InputError(f"product {line_no} is no object.")
    sku = str(product.get("product_id") or product.get("sku") or "").strip()
    if not sku or len(sku) > _MAX_SKU:
        raise InputError(f"product {line_no} has no product_id or sku.")
    quantity = product.get("quantity", 1)
    if isinstance(quantity, float) and quantity.is_integer():
        quantity = int(quantity)
    if type(quantity) is not int or not 0 < quantity <= _MAX_QUANTITY:
        raise InputError(f"the quantity of product {line_no} is no whole number above 0.")
    price = _minor(product.get("price", 0), currency, f"price of product {line_no}", quantity)
    return NewLine(line_no, sku, quantity, price)


def _minor(value: Any, currency: str, what: str, quantity: int = 1) -> int:
    """Whole units as minor ones; the float that JSON makes of 19.99 is taken for what was written."""
    try:
        amount = Decimal(str(value)) * quantity
        if isinstance(value, bool) or not amount.is_finite() or abs(amount) > _MAX_AMOUNT:
            raise InputError(f"the {what} is no amount.")
    except InvalidOperation:
        raise InputError(f"the {what} is no amount.") from None
    return to_minor(amount, currency)
