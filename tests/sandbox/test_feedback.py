"""Events: what each address leads to, how they are signed, when they are delivered, and how they can go wrong."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.sandbox.conftest import Receiver, client_for, confirm, mail_to, wait_until

CERTIFICATE_URL = re.compile(
    r"^https://sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?/SimpleNotificationService-[A-Za-z0-9]+\.pem$"
)
FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def verify(document: dict[str, Any], certificates: Path) -> None:
    """As a receiver does it: certificate from the pre-seeded folder, fields in the documented order."""
    assert CERTIFICATE_URL.fullmatch(document["SigningCertURL"])
    pem = (certificates / document["SigningCertURL"].rpartition("/")[2]).read_bytes()
    key = x509.load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    text = "".join(f"{name}\n{document[name]}\n" for name in FIELDS[document["Type"]] if name in document)
    algorithm = hashes.SHA1() if document["SignatureVersion"] == "1" else hashes.SHA256()
    key.verify(b64decode(document["Signature"]), text.encode(), PKCS1v15(), algorithm)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["eventType"] for event in events]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("success@simulator.amazonses.com", ["Send", "Delivery"]),
        ("bounce+carol@simulator.amazonses.com", ["Send", "Bounce"]),
        ("bounce+17@mail.sandbox.invalid", ["Send", "Bounce"]),
        ("ooto@simulator.amazonses.com", ["Send", "Delivery", "Bounce"]),
        ("complaint@mail.sandbox.invalid", ["Send", "Delivery", "Complaint"]),
        ("suppressionlist@simulator.amazonses.com", ["Send", "Bounce"]),
        ("bounce@example.com", ["Send", "Delivery"]),
    ],
)
def test_events_follow_the_address_when_a_mail_is_accepted(
    wired: SandboxServer, receiver: Receiver, address: str, expected: list[str]
) -> None:
    sent = client_for(wired.url, "sesv2").send_email(**mail_to(address))

    events = wait_until(lambda: len(receiver.events()) == len(expected) and receiver.events())
    assert kinds(events) == expected
    for event in events:
        assert event["mail"]["messageId"] == sent["MessageId"]
        assert event["mail"]["destination"] == [address]
        assert event["mail"]["tags"]["mid"] == ["m-1"]
        assert event["mail"]["tags"]["ses:configuration-set"] == ["postilion"]
        assert {"name": "Subject", "value": "Your lantern"} in event["mail"]["headers"]
    last = events[-1]
    match last["eventType"]:
        case "Delivery":
            assert last["delivery"]["recipients"] == [address]
        case "Complaint":
            assert last["complaint"]["complainedRecipients"] == [{"emailAddress": address}]
        case "Bounce":
            assert last["bounce"]["bouncedRecipients"][0]["emailAddress"] == address
            kind = (last["bounce"]["bounceType"], last["bounce"]["bounceSubType"])
            word = re.split("[@+]", address)[0]
            assert (
                kind
                == {
                    "bounce": ("Permanent", "General"),
                    "ooto": ("Transient", "General"),
                    "suppressionlist": ("Permanent", "OnAccountSuppressionList"),
                }[word]
            )


@pytest.mark.parametrize("version", ["1", "2"])
def test_signature_verifies_with_the_seeded_certificate_when_a_notification_arrives(
    receiver: Receiver, tmp_path: Path, version: Any
) -> None:
    options = SandboxOptions(
        certificates=tmp_path, feedback_url=receiver.url, signature_version=version, folder=tmp_path / "sandbox"
    )
    with SandboxServer(options) as sandbox:
        confirm(sandbox, receiver)
        client_for(sandbox.url, "sesv2").send_email(**mail_to("alice@example.com"))
        wait_until(lambda: len(receiver.events()) == 2)
        name = next(tmp_path.glob("*.pem")).name
        assert httpx.get(f"{sandbox.url}/{name}").content == (tmp_path / name).read_bytes()

    for document in receiver.received:
        assert document["SignatureVersion"] == version
        verify(document, tmp_path)
    assert [headers["x-amz-sns-message-type"] for headers in receiver.headers] == [
        "SubscriptionConfirmation",
        "Notification",
        "Notification",
    ]


def test_signing_key_stays_when_the_sandbox_is_started_again(tmp_path: Path) -> None:
    options = SandboxOptions(folder=tmp_path / "sandbox", certificates=tmp_path / "certificates")
    for _ in range(2):
        with SandboxServer(options):
            pass
    assert len(list((tmp_path / "certificates").iterdir())) == 1


def test_events_wait_when_the_feedback_endpoint_has_not_confirmed_yet(receiver: Receiver) -> None:
    with SandboxServer(SandboxOptions(feedback_url=receiver.url)) as sandbox:
        client_for(sandbox.url, "sesv2").send_email(**mail_to("alice@example.com"))
        asked = wait_until(lambda: receiver.of_kind("SubscriptionConfirmation"))[0]
        wait_until(lambda: httpx.get(f"{sandbox.url}/sandbox/stats").json()["events"]["held"] == 2)
        assert receiver.events() == []

        # What a receiver does that fetches the SubscribeURL, with the host put aside.
        query = asked["SubscribeURL"].partition("?")[2]
        assert "ConfirmSubscriptionResult" in httpx.get(f"{sandbox.url}/?{query}").text

        events = wait_until(lambda: len(receiver.events()) == 2 and receiver.events())
    assert kinds(events) == ["Send", "Delivery"]


def test_subscription_is_confirmed_by_a_mere_answer_when_the_option_says_so(receiver: Receiver) -> None:
    with SandboxServer(SandboxOptions(feedback_url=receiver.url, confirm_on_ack=True)) as sandbox:
        client_for(sandbox.url, "sesv2").send_email(**mail_to("alice@example.com"))
        wait_until(lambda: len(receiver.events()) == 2)


def test_notification_is_delivered_again_when_the_endpoint_failed(wired: SandboxServer, receiver: Receiver) -> None:
    receiver.answers = [500, 503]
    client_for(wired.url, "sesv2").send_email(**mail_to("alice@example.com"))

    wait_until(lambda: len(receiver.events()) == 2)
    wait_until(lambda: httpx.get(f"{wired.url}/sandbox/stats").json()["events"]["pending"] == 0)
    events = httpx.get(f"{wired.url}/sandbox/stats").json()["events"]
    assert (events["delivered"], events["retried"], events["failed"]) == (2, 2, 0)


def test_notification_is_given_up_when_the_endpoint_refuses_it(wired: SandboxServer, receiver: Receiver) -> None:
    receiver.answers = [403]
    client_for(wired.url, "sesv2").send_email(**mail_to("alice@example.com"))

    wait_until(lambda: len(receiver.events()) == 1)
    events = httpx.get(f"{wired.url}/sandbox/stats").json()["events"]
    assert (events["published"], events["failed"]) == (2, 1)


def test_notification_comes_twice_when_duplicates_are_asked_for(wired: SandboxServer, receiver: Receiver) -> None:
    httpx.put(f"{wired.url}/sandbox/behaviour", json={"duplicate": True}).raise_for_status()
    client_for(wired.url, "sesv2").send_email(**mail_to("alice@example.com"))

    wait_until(lambda: len(receiver.events()) == 4)
    ids = [one["MessageId"] for one in receiver.of_kind("Notification")]
    assert len(set(ids)) == 2


def test_later_events_overtake_when_reordering_is_asked_for(wired: SandboxServer, receiver: Receiver) -> None:
    httpx.put(f"{wired.url}/sandbox/behaviour", json={"reorder": 0.5}).raise_for_status()
    ses = client_for(wired.url, "sesv2")
    for number in range(8):
        ses.send_email(**mail_to(f"alice+{number}@example.com"))

    events = wait_until(lambda: len(receiver.events()) == 16 and receiver.events())
    by_mail: dict[str, list[str]] = {}
    for event in events:
        by_mail.setdefault(event["mail"]["messageId"], []).append(event["eventType"])
    assert ["Delivery", "Send"] in by_mail.values()


def test_events_carry_the_manual_time_when_the_clock_was_set(wired: SandboxServer, receiver: Receiver) -> None:
    httpx.put(f"{wired.url}/sandbox/clock", json={"now": "2011-12-10T08:00:00+01:00"}).raise_for_status()
    client_for(wired.url, "sesv2").send_email(**mail_to("bounce@mail.sandbox.invalid"))

    events = wait_until(lambda: len(receiver.events()) == 2 and receiver.events())
    assert {event["mail"]["timestamp"] for event in events} == {"2011-12-10T07:00:00.000Z"}
    assert events[1]["bounce"]["timestamp"] == "2011-12-10T07:00:00.000Z"
    assert receiver.of_kind("Notification")[0]["Timestamp"] == "2011-12-10T07:00:00.000Z"


def test_context_comes_back_when_an_sms_is_delivered(wired: SandboxServer, receiver: Receiver) -> None:
    sms = client_for(wired.url, "pinpoint-sms-voice-v2")
    sent = sms.send_text_message(
        DestinationPhoneNumber="+491701234567",
        MessageBody="Alice, your parcel is there",
        ConfigurationSetName="postilion",
        Context={"mid": "m-9"},
    )
    events = wait_until(lambda: len(receiver.events()) == 2 and receiver.events())
    assert kinds(events) == ["TEXT_SUCCESSFUL", "TEXT_DELIVERED"]
    assert {event["messageId"] for event in events} == {sent["MessageId"]}
    assert events[1]["context"] == {"mid": "m-9"}
    assert events[1]["isFinal"] is True
    assert json.loads(receiver.of_kind("Notification")[0]["Message"])["messageEncoding"] == "GSM"
