"""Which fields each kind of import knows, and which of them it cannot do without.

A mapping's `columns` has these on its left side. Profiles also take every attribute that `workspace.yaml` declares, and
`consent.CHANNEL.TOPIC` with `consent.CHANNEL.TOPIC.at`, its instant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class ImportKind(StrEnum):
    PROFILES = "profiles"
    PRODUCTS = "products"
    ORDERS = "orders"
    EVENTS = "events"
    CONSENTS = "consents"
    SUPPRESSIONS = "suppressions"
    LISTS = "lists"
    RETURNS = "returns"


@dataclass(frozen=True, slots=True)
class FieldSet:
    """`required` holds alternatives: one field of each group must be mapped.

    `personal` cells are shown to nobody; `numbers` may be written with a decimal comma.
    """

    known: frozenset[str]
    required: tuple[tuple[str, ...], ...]
    personal: frozenset[str] = frozenset({"email", "phone"})
    numbers: frozenset[str] = frozenset()


ACCOUNT_FIELDS = ("account", "account_name", "account_role")  # the company that a person belongs to

_WHO = ("external_id", "email", "phone")
_ORDER_NUMBERS = frozenset({"quantity", "unit_price", "amount"})

FIELDS: Mapping[ImportKind, FieldSet] = {
    ImportKind.PROFILES: FieldSet(frozenset({*_WHO, "timezone", "country", "locale", *ACCOUNT_FIELDS}), (_WHO,)),
    ImportKind.PRODUCTS: FieldSet(
        frozenset({"sku", "name", "category", "price", "currency", "stock", "url", "image_url"})
        | {"is_hidden", "is_replenishable"},
        (("sku",), ("name",)),
        numbers=frozenset({"price", "stock"}),
    ),
    ImportKind.ORDERS: FieldSet(
        frozenset({"order_id", "placed_at", "sku", "quantity", "unit_price", "amount"})
        | {"external_id", "email", "country", "currency", "name"},
        (("order_id",), ("placed_at",), ("sku",), ("quantity",), ("unit_price", "amount")),
        numbers=_ORDER_NUMBERS,
    ),
    ImportKind.RETURNS: FieldSet(
        frozenset({"return_id", "order_id", "placed_at", "sku", "quantity", "unit_price", "amount"})
        | {"external_id", "email", "country", "currency", "name"},
        (("return_id", "order_id"), ("placed_at",), ("sku",), ("quantity",), ("unit_price", "amount")),
        numbers=_ORDER_NUMBERS,
    ),
    ImportKind.EVENTS: FieldSet(
        frozenset({*_WHO, "visitor", "type", "message_id", "name", "occurred_at", "properties", "traits"}),
        (("type", "name"), ("occurred_at",), (*_WHO, "visitor")),
        frozenset({"email", "phone", "properties", "traits"}),
    ),
    ImportKind.CONSENTS: FieldSet(
        frozenset({"email", "phone", "channel", "topic", "status", "occurred_at"})
        | {"basis", "expires_at", "text_version"},
        (("email", "phone"), ("channel",), ("topic",), ("status",), ("occurred_at",)),
    ),
    ImportKind.SUPPRESSIONS: FieldSet(
        frozenset({"email", "phone", "channel", "reason", "occurred_at"}), (("email", "phone"),)
    ),
    ImportKind.LISTS: FieldSet(frozenset({*_WHO, "list", "is_member"}), (_WHO, ("list",))),
}


@dataclass(frozen=True, slots=True)
class ConsentField:
    channel: str
    topic: str
    is_instant: bool


def consent_field(name: str) -> ConsentField | None:
    """What a field such as `consent.email.marketing.at` stands for; None when it is none of these."""
    match name.split("."):
        case ["consent", channel, topic]:
            return ConsentField(channel, topic, is_instant=False)
        case ["consent", channel, topic, "at"]:
            return ConsentField(channel, topic, is_instant=True)
    return None


def consent_pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """The (channel, topic) of all consents among the fields `names`."""
    fields = filter(None, map(consent_field, names))
    return list(dict.fromkeys((found.channel, found.topic) for found in fields))
