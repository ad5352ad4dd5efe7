"""What the widget's addresses answer: the script, reports of pages, and reading from other origins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from core.runtime import Runtime
from customers.tables import customer_event
from recommender.tables import offer_impression
from recommender.widget.script import widget
from tests.recommender.widget.conftest import ALICE, create_app
from tests.tracking.conftest import TestClient
from tracking.visitor_cookie import NAME

PAGE = "https://shop.example"
HOME = "/r/v1/recommendations?placement=home&limit=2"


@pytest.fixture
def client(runtime: Runtime, alice: int) -> Iterator[TestClient]:
    settings = replace(runtime.settings, cors_origins=PAGE, events_per_network="5")
    with TestClient(create_app(replace(runtime, settings=settings)), base_url="https://t.shop.example") as opened:
        yield opened


def report(client: TestClient, answer: dict[str, Any], view: str, shown: list[str], clicked: list[str]) -> int:
    """Tell it as a browser does that may not read what is answered."""
    body = {"decision_id": answer["decision_id"], "view": view, "shown": shown, "clicked": clicked}
    told = client.post("/r/v1/impressions", content=json.dumps(body), headers={"Content-Type": "text/plain"})
    return int(told.status_code)


def impressions(runtime: Runtime) -> list[tuple[str, str | None]]:
    with runtime.database.read() as connection:
        rows = connection.execute(select(offer_impression).order_by(offer_impression.c.id)).all()
    return [(row.kind, row.sku) for row in rows]


def test_the_script_is_small_and_kept_and_checked_when_it_is_served(client: TestClient) -> None:
    assert len(widget().packed) < 6_000
    first = client.get("/w.js", headers={"Accept-Encoding": "gzip"})
    assert first.content == widget().body
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["content-type"].startswith("text/javascript")
    assert "max-age=3600" in first.headers["cache-control"]
    again = client.get("/w.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "immutable" in client.get(f"/w.{widget().digest}.js").headers["cache-control"]
    assert client.get("/w.0123456789abcdef.js").status_code == 404


def test_an_answer_about_me_is_the_visitors_of_the_cookie(client: TestClient) -> None:
    everybody = client.get(HOME).json()
    known = {"Cookie": f"{NAME}={ALICE}"}
    mine = client.get(f"{HOME}&visitor=me", headers=known)
    assert mine.json() != everybody
    for headers in ({}, {**known, "Sec-GPC": "1"}):
        answer = client.get(f"{HOME}&visitor=me", headers=headers)
        assert answer.json() == everybody
        assert answer.headers["cache-control"] == "private, no-store"  # it changes when a cookie comes
    assert client.get(HOME, headers=known).json() == everybody


def test_each_view_counts_and_each_click_by_product_when_many_get_the_answer(
    client: TestClient, runtime: Runtime
) -> None:
    answer = client.get(HOME).json()
    first, second = (item["sku"] for item in answer["items"])
    for _time in range(2):
        assert report(client, answer, "a" * 16, [first, second, "made up"], [first, "made up"]) == 204
    assert report(client, answer, "b" * 16, [second], []) == 204
    assert report(client, {"decision_id": "made up"}, "c" * 16, [first], []) == 204
    assert impressions(runtime) == [("shown", None), ("clicked", first), ("shown", None)]
    with runtime.database.read() as connection:
        events = connection.execute(select(customer_event).order_by(customer_event.c.id)).all()
    assert [event.name for event in events] == ["offer_shown", "offer_clicked", "offer_shown"]
    assert {(event.profile_id, event.properties["decision_id"]) for event in events} == {(None, answer["decision_id"])}


def test_each_product_counts_once_when_a_person_comes_again(client: TestClient, runtime: Runtime, alice: int) -> None:
    answer = client.get(f"{HOME}&visitor=me", headers={"Cookie": f"{NAME}={ALICE}"}).json()
    first, second = (item["sku"] for item in answer["items"])
    assert report(client, answer, "a" * 16, [first], []) == 204
    assert report(client, answer, "b" * 16, [first, second], [second]) == 204
    assert impressions(runtime) == [("shown", first), ("shown", second), ("clicked", second)]
    with runtime.database.read() as connection:
        assert set(connection.execute(select(customer_event.c.profile_id)).scalars()) == {alice}


def test_a_network_waits_when_it_reports_too_much(client: TestClient) -> None:
    answers = [client.post("/r/v1/impressions", content=b"{}") for _number in range(60)]
    assert {answer.status_code for answer in answers} == {400, 429}
    assert int(answers[-1].headers["retry-after"]) >= 1
