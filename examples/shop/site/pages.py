"""The pages of the shop: home, a product, the basket. Pure; the products are those that `generate` writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from examples.shop.catalogue import catalogue

FOLDER: Final = Path(__file__).parent
IMAGES: Final = FOLDER.parent / "images"
_SEED: Final = 7  # that of the demo: it decides what is in stock
_OTHERS: Final = 12


@dataclass(frozen=True, slots=True)
class Shown:
    """A product as its page shows it; `path` and `picture` are paths of this site."""

    sku: str
    name: str
    category: str
    price: str
    path: str
    picture: str
    is_in_stock: bool


def shown_products() -> dict[str, Shown]:
    """All products by the path of their page."""
    found = [
        Shown(
            one.sku,
            one.name,
            one.category,
            f"£{one.price / 100:.2f}",
            urlsplit(one.url).path,
            urlsplit(one.image_url).path,
            one.stock > 0,
        )
        for one in catalogue(_SEED)
    ]
    return {one.path: one for one in found}


class Pages:
    """HTML by path. `api` is the address of Postilion's server; `write_key` a public one, or "" to report nothing."""

    def __init__(self, api: str, write_key: str = "") -> None:
        self._products = shown_products()
        environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
        environment.globals |= {"api": api, "write_key": write_key}
        self._environment = environment

    def find(self, path: str) -> str | None:
        """The page at `path`, None where there is none."""
        if path == "/":
            return self._render("home", categories=self._first_of_each())
        if path == "/basket":
            return self._render("basket")
        product = self._products.get(path)
        if product is None:
            return None
        others = [one for one in self._products.values() if one.category == product.category and one is not product]
        return self._render("product", product=product, others=others[:_OTHERS])

    def _first_of_each(self) -> Mapping[str, Shown]:
        first: dict[str, Shown] = {}
        for one in self._products.values():
            first.setdefault(one.category, one)
        return first

    def _render(self, name: str, **values: object) -> str:
        return self._environment.get_template(f"{name}.html.jinja").render(values)


def policy(api: str) -> str:
    """The Content-Security-Policy of every page: nothing inline, and nobody but this site and Postilion's server."""
    return (
        f"default-src 'none'; script-src 'self' {api}; connect-src {api}; img-src 'self'; style-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
