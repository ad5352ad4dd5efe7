from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select
from starlette.applications import Starlette

from core.clock import ManualClock
from core.definitions import publish
from core.runtime import Runtime
from customers.tables import identity
from recommender.publish import refresh_rules
from recommender.tables import offer_decision
from recommender.web import routes
from tests.recommender.shop import NOW, PLANTED, Bought, add_orders, add_products, add_profiles, planted_orders


class Client:
    """Asks our routes as a browser does, without a server."""

    def __init__(self, runtime: Runtime) -> None:
        self._transport = httpx.ASGITransport(Starlette(routes=routes(runtime)))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://shop.example") as browser:
                return await browser.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def client(runtime: Runtime) -> Client:
    """An empty shop."""
    return Client(runtime)


@pytest.fixture
def shop_client(client: Client, runtime: Runtime) -> Client:
    """The planted shop; Alice, known by the cookie `alice`, bought soap."""
    with runtime.database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        assert refresh_rules(connection, NOW).is_published
        (alice,) = add_profiles(connection, 1)
        add_orders(connection, [Bought(NOW - timedelta(days=3), ("GAR00",))], profile_id=alice)
        row = {"profile_id": alice, "kind": "visitor", "lookup": "alice", "created_at": NOW}
        connection.execute(insert(identity), [row])
    return client


def get(client: Client, query: str) -> dict[str, Any]:
    response = client.get(f"/r/v1/recommendations?{query}")
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def skus(answer: dict[str, Any]) -> list[str]:
    return [item["sku"] for item in answer["items"]]


def test_companions_are_answered_when_a_product_is_looked_at(shop_client: Client, runtime: Runtime) -> None:
    answer = get(shop_client, "placement=product&item=SOA00&limit=2")
    assert len(answer["items"]) == 2
    assert answer["items"][0] == {
        "sku": PLANTED["SOA00"],
        "name": "Tea 35",
        "price": 850,
        "currency": "GBP",
        "url": f"https://shop.example/{PLANTED['SOA00']}",
        "image_url": None,
        "reason": "bought together with Soap 00",
        "score": answer["items"][0]["score"],
    }
    assert answer["placement"] == "product"
    with runtime.database.read() as connection:
        assert connection.execute(select(offer_decision.c.id)).scalars().all() == [answer["decision_id"]]


def test_an_answer_is_kept_by_caches_when_it_is_about_nobody(shop_client: Client, runtime: Runtime) -> None:
    first = shop_client.get("/r/v1/items/SOA00/related")
    assert first.headers["cache-control"] == "public, max-age=300"
    again = shop_client.get("/r/v1/items/SOA00/related", headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    with runtime.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(offer_decision)).scalar_one() == 1


def test_an_answer_is_kept_by_nobody_when_it_names_a_visitor(shop_client: Client) -> None:
    for visitor in ("alice", "stranger"):
        response = shop_client.get(f"/r/v1/recommendations?placement=home&visitor={visitor}")
        assert response.headers["cache-control"] == "private, no-store"
        assert "etag" not in response.headers


def test_the_answer_follows_the_person_when_the_visitor_is_known(shop_client: Client, runtime: Runtime) -> None:
    alice = get(shop_client, "placement=home&visitor=alice")
    assert skus(alice)[0] == PLANTED["GAR00"]
    assert get(shop_client, "placement=home&visitor=alice") == alice
    clock = runtime.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(hours=1))
    assert get(shop_client, "placement=home&visitor=alice")["decision_id"] != alice["decision_id"]
    assert get(shop_client, "placement=home&visitor=stranger") == get(shop_client, "placement=home")


def test_the_published_offer_governs_when_it_is_named_like_the_placement(shop_client: Client, runtime: Runtime) -> None:
    workspace = {"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"}
    offer = {"offer": "tea_corner", "recommend": {"model": "bestsellers", "where": {"category": "Tea"}}}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=workspace, source="", file="workspace.yaml", now=NOW)
        publish(connection, "offer", "tea_corner", document=offer, source="", file="offers/tea_corner.yaml", now=NOW)
    assert {sku[:3] for sku in skus(get(shop_client, "placement=tea_corner&limit=9"))} == {"TEA"}


def test_nothing_is_shown_when_the_published_offer_cannot_be_read(shop_client: Client, runtime: Runtime) -> None:
    workspace = {"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"}
    offer = {"offer": "attic", "recommend": {"model": "telepathy"}}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=workspace, source="", file="workspace.yaml", now=NOW)
        publish(connection, "offer", "attic", document=offer, source="", file="offers/attic.yaml", now=NOW)
    assert get(shop_client, "placement=attic")["items"] == []


def test_the_answer_is_plain_when_the_shop_is_empty(client: Client) -> None:
    answer = get(client, "placement=home")
    assert answer == {"decision_id": None, "placement": "home", "fallback_level": "none", "items": []}


def test_an_unknown_product_is_passed_over_in_a_basket_and_not_found_by_itself(shop_client: Client) -> None:
    answer = get(shop_client, "placement=cart&items=SOA00,%20nothing,TEA01&limit=24")
    assert {PLANTED["SOA00"], PLANTED["TEA01"]} <= set(skus(answer))
    response = shop_client.get("/r/v1/items/nothing/related")
    assert (response.status_code, response.json()) == (404, {"error": "there is no product 'nothing'."})
    assert shop_client.get("/r/v1/items/no%00thing/related").status_code == 404


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("limit=0", "`limit` is a whole number from 1 to 24."),
        ("limit=many", "`limit` is a whole number from 1 to 24."),
        ("limit=%C2%B2", "`limit` is a whole number from 1 to 24."),
        ("placement=Home%20Page", "`placement` is a name of small letters, digits and underscores, such as product."),
        (
            "placement=attic",
            (
                "there is no placement 'attic': publish an offer of that name, or use "
                "cart, category, checkout, home, product, search, thanks."
            ),
        ),
        ("item=" + "x" * 101, "`items` takes up to 20 skus of up to 100 characters, with commas between."),
        ("item=a%00b", "`items` takes up to 20 skus of up to 100 characters, with commas between."),
        (
            "items=" + ",".join(map(str, range(21))),
            "`items` takes up to 20 skus of up to 100 characters, with commas between.",
        ),
        ("visitor=" + "x" * 101, "`visitor` has up to 100 characters."),
    ],
)
def test_a_bad_parameter_is_refused_in_one_sentence_when_a_page_asks(client: Client, query: str, error: str) -> None:
    response = client.get(f"/r/v1/recommendations?{query}")
    assert (response.status_code, response.json()) == (400, {"error": error})
    assert response.headers["cache-control"] == "private, no-store"
