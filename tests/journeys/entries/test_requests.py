"""Entries that the shop's own server asks for: each once, with what it brings, and never by a public key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette

from customers.tables import customer_event
from journeys.entries.requests import accept_entries
from journeys.web import routes
from tests.journeys.town import Town
from tracking.events.write_keys import create_write_key
from tracking.ingestion.group_commit import Ingestion

JOURNEY = """
journey: onboarding
enter:
  api: true
  schema: {type: object, required: [plan], properties: {plan: {enum: [pro, free]}}}
mode: parallel
steps:
  - {id: pro, if: {entry: {plan: pro}}, emit: went_pro}
  - {id: pause, wait: 1h}
"""


class Server:
    """The shop's server."""

    def __init__(self, town: Town) -> None:
        self.town = town
        runtime = town.runtime
        with runtime.database.transaction() as connection:
            now = town.clock.now()
            self.secret = create_write_key(connection, runtime.vault, kind="secret", name="shop", now=now)
            self.public = create_write_key(connection, runtime.vault, kind="public", name="site", now=now)
        self.entries = Ingestion(runtime.database, accept_entries(runtime))
        self.app = Starlette(routes=routes(runtime, self.entries.submit))
        self.headers: httpx.Headers = httpx.Headers()

    def post(
        self, document: Any, *, key: str | None = None, journey: str = "onboarding", secret: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"X-Write-Key": self.secret if secret is None else secret}
        headers |= {"Idempotency-Key": key} if key else {}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://links.shop.example") as client:
                return await client.post(f"/v1/journeys/{journey}/entries", json=document, headers=headers)

        response = asyncio.run(ask())
        self.headers = response.headers
        return response.status_code, response.json()


@pytest.fixture
def server(town: Town) -> Iterator[Server]:
    town.person("alice")
    town.journey(JOURNEY)
    server = Server(town)
    server.entries.start()
    yield server
    server.entries.stop()


def entry(person: str = "alice", **properties: Any) -> dict[str, Any]:
    return {"to": {"external_id": person}, "properties": properties or {"plan": "pro"}}


def test_a_person_enters_with_what_the_call_brought(server: Server) -> None:
    status, answer = server.post(entry(), key="one")
    assert (status, answer["status"]) == (202, "accepted")
    server.town.work()
    first = server.town.entries("alice")[0]
    assert (first.kind, first.data["trigger"]) == ("entered", "api")
    assert ("pro", "done") in [(row.data.get("step"), row.data.get("outcome")) for row in server.town.entries("alice")]


def test_a_request_lets_somebody_in_once_when_it_is_repeated_under_its_key(server: Server) -> None:
    first = server.post(entry(), key="one")
    server.town.work()
    assert server.post(entry(), key="one") == first
    assert server.headers["idempotent-replayed"] == "true"
    assert server.post({**entry(), "key": "two"})[1] != first[1]
    server.town.work()
    assert len(server.town.runs()) == 2


def test_the_same_body_is_the_same_request_for_a_day_when_it_has_no_key(server: Server) -> None:
    first = server.post(entry())
    assert server.post(entry()) == first
    assert server.post(entry(plan="free")) != first
    server.town.clock.advance(timedelta(hours=23, minutes=59))
    assert server.post(entry()) == first
    server.town.clock.advance(timedelta(minutes=1))
    assert server.post(entry()) != first
    server.town.work()
    assert len(server.town.runs()) == 3


@pytest.mark.parametrize(
    ("document", "journey", "status"),
    [
        ({"to": {"external_id": "erin"}, "properties": {"plan": "pro"}}, "onboarding", 422),
        ({"to": {"external_id": "alice"}, "properties": {"plan": "gold"}}, "onboarding", 422),
        ({"to": {"external_id": "alice"}}, "onboarding", 422),
        ({"to": {"external_id": "alice"}, "properties": {"plan": "pro"}}, "nowhere", 404),
        ({"to": {"external_id": "alice"}, "properties": {"plan": "pro"}}, "welcome", 409),
        ({"to": {}, "properties": {"plan": "pro"}}, "onboarding", 400),
        ({"to": {"external_id": "alice", "profile_id": 1}}, "onboarding", 400),
        ({"for": "alice"}, "onboarding", 400),
        ([], "onboarding", 400),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_in_a_sentence(
    server: Server, document: Any, journey: str, status: int
) -> None:
    server.town.journey("journey: welcome\nenter: {event: signed_up}\nsteps: []\n")
    found, answer = server.post(document, journey=journey)
    assert found == status
    assert answer["error"].endswith(".")
    assert "gold" not in answer["error"]


def test_nobody_enters_when_the_key_is_public_or_unknown_or_the_journey_is_paused(server: Server) -> None:
    assert server.post(entry(), secret=server.public)[0] == 403
    assert server.post(entry(), secret="nonsense")[0] == 401  # it is none
    server.town.journey(JOURNEY + "status: paused\n")
    assert server.post(entry())[0] == 409


def test_what_a_call_brings_is_sealed_in_the_log(server: Server) -> None:
    server.post(entry())
    with server.town.runtime.database.read() as connection:
        event = customer_event.c
        plain = connection.execute(select(event.properties).where(event.name == "entry_requested")).scalar_one()
    assert set(plain) == {"journey", "request"}
