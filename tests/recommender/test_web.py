from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.schema import DropTable
from starlette.applications import Starlette

from core.clock import ManualClock
from core.definitions import publish
from core.runtime import Runtime
from customers.tables import identity, product, profile
from recommender.publish import refresh_rules
from recommender.serving.desk import Desk
from recommender.serving.server import OfferServer
from recommender.tables import association_rule, offer_decision, offer_impression, related_item, rule_set
from recommender.web import routes
from tests.recommender.shop import NOW, PLANTED, Bought, add_orders, add_products, add_profiles, planted_orders


class Client:
    """Asks our routes as a browser does, without a server."""

    def __init__(self, runtime: Runtime, runner: asyncio.Runner) -> None:
        self.offers = OfferServer(runtime)
        self._runner = runner
        self._transport = httpx.ASGITransport(Starlette(routes=routes(runtime, self.offers)))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.ask("GET", path, headers=headers)

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://shop.example") as browser:
                return await browser.request(method, path, **given)

        return self._runner.run(ask())

    def settle(self) -> None:
        """Come back when every answer so far is written down."""
        self._runner.run(self.offers.ledger.flush())


@pytest.fixture
def client(runtime: Runtime) -> Iterator[Client]:
    """An empty shop."""
    with asyncio.Runner() as runner:
        client = Client(runtime, runner)
        client.offers.start()
        yield client
        runner.run(client.offers.close())


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
    shop_client.settle()
    with runtime.database.read() as connection:
        assert connection.execute(select(offer_decision.c.id)).scalars().all() == [answer["decision_id"]]


def test_an_answer_is_kept_by_caches_when_it_is_about_nobody(shop_client: Client, runtime: Runtime) -> None:
    first = shop_client.get("/r/v1/items/SOA00/related")
    assert first.headers["cache-control"] == "public, max-age=300"
    again = shop_client.get("/r/v1/items/SOA00/related", headers={"If-None-Match": f'"x", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    shop_client.settle()
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


def test_what_browsers_report_is_stored_once_when_it_names_an_answer(shop_client: Client, runtime: Runtime) -> None:
    publish_workspace(runtime)
    answer = get(shop_client, "placement=product&item=SOA00&limit=3")
    report = {"decision_id": answer["decision_id"], "shown": [*skus(answer), "HAT"], "clicked": skus(answer)[:1]}
    for _ in range(2):
        assert shop_client.ask("POST", "/r/v1/impressions", content=json.dumps(report)).status_code == 204
    unknown = report | {"decision_id": "unheard of"}
    assert shop_client.ask("POST", "/r/v1/impressions", content=json.dumps(unknown)).status_code == 204
    with runtime.database.read() as connection:
        rows = connection.execute(select(offer_impression.c.kind, offer_impression.c.sku)).tuples().all()
    assert sorted(rows) == [("clicked", skus(answer)[0]), ("shown", None)]


@pytest.mark.parametrize(
    "body", ["", "{}", '{"decision_id": 1}', '{"decision_id": "a", "shown": ["\\u0000"]}', "[" * 99]
)
def test_a_report_is_refused_when_it_is_none(client: Client, body: str) -> None:
    response = client.ask("POST", "/r/v1/impressions", content=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"].endswith(".")


def test_the_answer_is_anybodys_when_the_person_objected_or_asks_not_to_be_known(
    shop_client: Client, runtime: Runtime
) -> None:
    plain = get(shop_client, "placement=home")
    assert get(shop_client, "placement=home&visitor=alice") != plain
    unnamed = shop_client.get("/r/v1/recommendations?placement=home&visitor=alice", headers={"Sec-GPC": "1"})
    assert unnamed.json() == plain
    with runtime.database.transaction() as connection:
        connection.execute(update(profile).values(objected_at=NOW))
    for _ in range(2):
        response = shop_client.get("/r/v1/recommendations?placement=home&visitor=alice")
        assert response.json() == plain
        assert response.headers["cache-control"] == "private, no-store"


def test_the_visitor_is_the_cookies_when_the_page_says_me(shop_client: Client, runtime: Runtime) -> None:
    cookie = "a" * 22
    with runtime.database.transaction() as connection:
        connection.execute(update(identity).values(lookup=cookie))
    headers = {"Cookie": f"__Host-postilion={cookie}"}
    answer = shop_client.get("/r/v1/recommendations?placement=home&visitor=me", headers=headers).json()
    assert skus(answer)[0] == PLANTED["GAR00"]
    assert get(shop_client, "placement=home&visitor=me") == get(shop_client, "placement=home")


def test_a_person_is_decided_for_anew_when_a_product_sells_out(shop_client: Client, runtime: Runtime) -> None:
    before = get(shop_client, "placement=home&visitor=alice")
    with runtime.database.transaction() as connection:
        changed = {"stock": 0, "updated_at": NOW + timedelta(minutes=1)}
        connection.execute(update(product).where(product.c.sku == skus(before)[0]).values(**changed))
    shop_client.offers.desk.refresh()
    after = get(shop_client, "placement=home&visitor=alice")
    assert after["decision_id"] != before["decision_id"]
    assert len(after["items"]) == len(before["items"])
    assert skus(before)[0] not in skus(after)
    shop_client.settle()
    with runtime.database.read() as connection:
        assert connection.execute(select(offer_decision.c.profile_id)).scalars().all().count(None) == 0


def test_best_sellers_are_shown_to_the_held_out_when_they_are_known(shop_client: Client, runtime: Runtime) -> None:
    publish_workspace(runtime)
    offer = {"offer": "home", "recommend": {"holdout": 100}}
    with runtime.database.transaction() as connection:
        publish(connection, "offer", "home", document=offer, source="", file="offers/home.yaml", now=NOW)
    answer = get(shop_client, "placement=home&visitor=alice")
    assert answer["fallback_level"] == "bestsellers"
    shop_client.settle()
    with runtime.database.read() as connection:
        assert connection.execute(select(offer_decision.c.is_holdout)).scalars().all() == [True]


def test_as_many_are_answered_as_are_asked_for_when_the_catalogue_is_larger_than_memory(
    shop_client: Client, runtime: Runtime
) -> None:
    small = OfferServer(runtime, Desk(runtime, most_products=10))
    shop_client.offers.desk, whole = small.desk, shop_client.offers.desk
    for query in ("placement=product&item=SOA00&limit=24", "placement=home&limit=6", "placement=home&visitor=alice"):
        large = get(shop_client, query)
        shop_client.offers.desk, whole = whole, shop_client.offers.desk
        assert large == get(shop_client, query)
        shop_client.offers.desk, whole = whole, shop_client.offers.desk


def test_any_page_may_read_what_is_about_nobody_and_the_shops_own_what_is_not(
    shop_client: Client, runtime: Runtime
) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    public = shop_client.get("/r/v1/recommendations?placement=home", headers=origin)
    assert public.headers["access-control-allow-origin"] == "*"
    own = shop_client.get("/r/v1/recommendations?placement=home&visitor=alice", headers=origin)
    assert "access-control-allow-origin" not in own.headers
    assert own.headers["vary"] == "Origin"
    assert shop_client.ask("OPTIONS", "/r/v1/impressions", headers=origin).status_code == 204
    assert shop_client.ask("HEAD", "/r/v1/recommendations").content == b""


def test_answers_go_on_when_the_database_is_gone(shop_client: Client, runtime: Runtime) -> None:
    first = get(shop_client, "placement=cart&items=SOA00")
    with runtime.database.transaction() as connection:
        for table in (offer_impression, offer_decision, association_rule, related_item, rule_set, identity):
            connection.execute(DropTable(table))
    assert get(shop_client, "placement=cart&items=SOA00") == first
    assert len(get(shop_client, "placement=cart&items=TEA01&visitor=alice")["items"]) == 6


def test_a_plain_failure_is_answered_when_the_database_was_never_there(client: Client, runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(DropTable(product))
    for path in ("/r/v1/recommendations?placement=home", "/r/v1/items/SOA00/related"):
        response = client.get(path)
        assert (response.status_code, response.json()["items"]) == (503, [])
        assert response.headers["retry-after"] == "5"


def publish_workspace(runtime: Runtime) -> None:
    workspace = {"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=workspace, source="", file="workspace.yaml", now=NOW)
