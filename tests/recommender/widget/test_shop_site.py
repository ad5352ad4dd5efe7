"""The website of the invented shop, with our server beside it, in a real Chromium."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from console.app import create_app
from core.definitions import publish
from core.runtime import Runtime
from customers.tables import customer_event, product
from examples.shop.catalogue import catalogue
from examples.shop.site.pages import Pages, shown_products
from examples.shop.site.serve import create_server
from recommender.publish import refresh_rules
from recommender.tables import offer_decision, offer_impression
from tests.clients.conftest import MODULES, node
from tests.clients.waiting import wait_until
from tests.recommender.shop import NOW, Bought, add_orders
from tests.recommender.widget.conftest import serving, told
from tests.recommender.widget.test_widget import AXE, NAMES, READY, ROOT, open_page
from tests.tracking.chromium import Tab
from tests.tracking.conftest import WORKSPACE_DOCUMENT
from tracking.events.write_keys import create_write_key

__all__ = ["node"]

POT = "POT-101"


@dataclass(frozen=True, slots=True)
class Open:
    """The website at `page`, beside the whole web application; `reporting` is the same with a write key."""

    page: str
    reporting: str
    runtime: Runtime

    def owners(self) -> set[int | None]:
        """Whom the decisions were made for of which something was shown."""
        shown = select(offer_decision.c.profile_id).join(
            offer_impression, offer_impression.c.decision_id == offer_decision.c.id
        )
        with self.runtime.database.read() as connection:
            return set(connection.execute(shown).scalars())

    def visitors(self) -> set[int | None]:
        """Whose page views are in the log."""
        viewed = select(customer_event.c.profile_id).where(customer_event.c.name == "page_viewed")
        with self.runtime.database.read() as connection:
            return set(connection.execute(viewed).scalars())


@pytest.fixture
def shop(runtime: Runtime) -> Iterator[Open]:
    """Whoever buys a Moss Stoneware Teapot buys a mug, a tea and more with it."""
    products = catalogue(7)
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=WORKSPACE_DOCUMENT, source="", file="w", now=NOW)
        key = create_write_key(connection, runtime.vault, kind="public", name="web", now=NOW)
        rows = [
            {
                "sku": one.sku, "name": one.name, "category": one.category, "price": one.price, "currency": "GBP",
                "stock": one.stock, "url": one.url, "image_url": one.image_url, "is_hidden": False,
                "is_replenishable": False, "attributes": {}, "updated_at": NOW,
            }
            for one in products
        ]  # fmt: skip
        connection.execute(insert(product), rows)
        with_it = ("CUP-101", "TEA-101", "LIN-101", "CAN-101", "PAN-101", "BOO-107")
        skus = [one.sku for one in products]
        orders = [
            Bought(NOW - timedelta(hours=800 - place), (POT, *with_it[: 2 + place % 5], skus[place % len(skus)]))
            if place % 2
            else Bought(NOW - timedelta(hours=800 - place), (skus[place % len(skus)], skus[place * 7 % len(skus)]))
            for place in range(800)
        ]
        add_orders(connection, [Bought(one.at, tuple(dict.fromkeys(one.skus))) for one in orders])
        assert refresh_rules(connection, NOW).is_published
    port = _free_port()
    settings = replace(runtime.settings, cors_origins=f"http://localhost:{port}")
    app = create_app(replace(runtime, settings=settings))
    with serving(app) as api, _showing(api) as page, _showing(api, key, port) as reporting:
        yield Open(page, reporting, runtime)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _showing(api: str, key: str = "", port: int = 0) -> Iterator[str]:
    website = create_server(api, key, port)
    threading.Thread(target=website.serve_forever, daemon=True).start()
    yield f"http://localhost:{website.server_port}"
    website.shutdown()
    website.server_close()


def test_every_product_has_a_page_when_the_catalogue_has_it() -> None:
    pages = Pages("http://localhost:8000")
    products = shown_products()
    assert len(products) == 432
    assert all(f'item="{one.sku}"' in (pages.find(path) or "") for path, one in products.items())
    assert pages.find("/p/none") is None


@pytest.mark.parametrize("path", ["/", "/p/pot-101", "/basket"])
def test_axe_finds_nothing_and_nothing_moves_when_a_page_is_opened(shop: Open, tab: Tab, node: str, path: str) -> None:
    open_page(tab, shop.page + path)
    assert tab.run("shifted") == 0
    tab.run((MODULES / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = tab.ask("Runtime.evaluate", expression=AXE, awaitPromise=True, returnByValue=True)
    assert found["result"]["value"] == "[]"
    tab.run(f"{ROOT}.querySelectorAll('img').forEach((one) => one.scrollIntoView())")
    tab.wait(f"[...{ROOT}.querySelectorAll('img')].every((one) => one.naturalWidth > 0)")
    assert tab.complaints == []


def test_an_offer_goes_into_the_basket_when_its_button_is_pressed(shop: Open, tab: Tab) -> None:
    open_page(tab, f"{shop.page}/p/pot-101")
    assert "Moss Stoneware Mug" in told(tab, NAMES)
    tab.run(f"{ROOT}.querySelector('a').click()")
    tab.wait("location.pathname !== '/p/pot-101' && document.readyState === 'complete'")
    tab.run("document.querySelector('[data-add]').click()")
    ((_name, call),) = [(one[1], one[2]) for one in told(tab, "window.postilion")]
    assert len(call["decision_id"]) == 36
    open_page(tab, f"{shop.page}/basket")
    before = told(tab, NAMES)
    assert told(tab, f"{ROOT}.querySelector('button').ariaLabel") == f"Add {before[0]}"
    tab.run(f"{ROOT}.querySelector('button').focus()")
    tab.press("Enter")
    tab.wait(f"{NAMES}[0] !== {before[0]!r} && {READY}")
    assert told(tab, f"{ROOT}.activeElement.ariaLabel") == f"Add {told(tab, NAMES)[0]}"
    assert before[0] in told(tab, "document.querySelector('#basket').innerText")
    assert told(tab, "document.querySelector('#count').textContent") == "2"


def test_offers_become_the_visitors_own_when_the_snippet_has_made_them_known(shop: Open, tab: Tab) -> None:
    open_page(tab, f"{shop.reporting}/")
    wait_until(lambda: bool(shop.visitors()), lambda: "no page view came")
    (visitor,) = shop.visitors()
    assert visitor is not None
    open_page(tab, f"{shop.reporting}/?again")
    wait_until(lambda: visitor in shop.owners(), lambda: f"{shop.owners()} saw offers, and {visitor} did not")
    assert tab.complaints == []
