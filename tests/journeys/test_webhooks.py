"""`webhook` in a journey: what is called with what, where it may go, and how the journey goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from campaigns.compose import Composer
from delivery.providers.capture import CaptureTransport
from delivery.providers.transport import Accepted, Reaction, TransportError
from delivery.worker import DeliveryWorker
from tests.journeys.conftest import MakeTown
from tests.journeys.test_check import HEAD as CHECK_HEAD
from tests.journeys.test_check import faults_of
from tests.journeys.town import Town

HEAD = "enter: {event: signed_up}\n"


class Refusing:
    """A system that says no for good."""

    name, channel = "refusing", "webhook"

    def send(self, envelope: Any) -> Accepted:
        raise TransportError(Reaction.REJECT, "Status422")

    def read_rate(self) -> float | None:
        return None


def deliver(town: Town, transport: Any) -> None:
    town.tick_alone()
    worker = DeliveryWorker(town.runtime, {"webhook": transport}, Composer(town.runtime).compose, name="hooks")
    try:
        worker.deliver(town.clock.now())
    finally:
        worker.close()
    town.tick_alone()


def call_of(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*.json")
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_the_usual_document_is_sent_and_the_journey_goes_on_when_the_system_takes_it(
    make_town: MakeTown, tmp_path: Path
) -> None:
    town = make_town("2026-06-01T10:00")
    town.person("bob")  # who withdrew e-mail: a call reaches no person and asks for no consent
    town.journey(
        f"journey: crm\n{HEAD}steps:\n"
        "  - {id: tell, webhook: https://hooks.shop.example/in}\n  - {emit: profile_completed}\n"
    )
    town.log("signed_up", "bob", source="shop")
    deliver(town, CaptureTransport("webhook", tmp_path / "calls"))
    document = call_of(tmp_path / "calls")
    (row,) = town.messages("bob")
    assert document == {
        "message_id": row.id,
        "journey": "crm",
        "step": "tell",
        "profile": {"id": town.people["bob"], "external_id": "bob"},
        "entry": document["entry"],
        "steps": {},
    }
    assert document["entry"]["source"] == "shop"
    assert (row.status, row.kind, row.provider) == ("sent", "transactional", "capture")
    assert town.runs("bob") == [("ended", "completed")]


def test_the_step_s_own_document_is_sent_when_it_has_one(make_town: MakeTown, tmp_path: Path) -> None:
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    town.journey(
        f"journey: crm\n{HEAD}steps:\n"
        "  - id: tell\n    webhook:\n      url: https://hooks.shop.example/in\n      secret: crm\n      timeout: 30s\n"
        '      body: {lead: "from {{ entry.source }}", tags: [new, "{{ entry.source }}"]}\n'
    )
    town.log("signed_up", "alice", source="shop")
    deliver(town, CaptureTransport("webhook", tmp_path / "calls"))
    assert call_of(tmp_path / "calls") == {"lead": "from shop", "tags": ["new", "shop"]}


def test_the_step_has_failed_when_the_system_refuses_for_good(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T10:00")
    town.person("alice")
    town.journey(
        f"journey: crm\n{HEAD}steps:\n"
        "  - {id: tell, webhook: https://hooks.shop.example/in, on_error: [{exit: refused}]}\n"
    )
    town.log("signed_up", "alice")
    deliver(town, Refusing())
    assert [one.status for one in town.messages("alice")] == ["failed"]
    assert town.runs("alice") == [("ended", "refused")]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("webhook: https://hooks.shop.example/in", []),
        ("webhook: http://hooks.shop.example/", ["E151 http://hooks"]),
        ("webhook: https://localhost/", ["E151 https://loca"]),
        ("webhook: {url: https://192.168.1.9/in}", ["E151 https://192."]),
        ("webhook: {url: https://2130706433/}", ["E151 https://2130"]),
        ('webhook: {url: "https://{{ entry.host }}/"}', ['E151 "https://{{', 'W201 "https://{{']),
        ("webhook: {method: PUT}", ["E101 {method: PUT"]),
        ("webhook: {url: https://a.example/, method: GET, body: {a: 1}}", ["E103 {a: 1"]),
        ("webhook: {url: https://a.example/, timeout: 2m}", ["E103 2m"]),
        ("webhook: {url: https://a.example/, format: pinpoint}", ["E160 format: pinp"]),
    ],
)
def test_an_address_is_refused_with_its_place_when_it_may_not_be_called(step: str, expected: list[str]) -> None:
    assert faults_of(f"{CHECK_HEAD}steps:\n  - {step}\n") == expected
