"""Calls and SNS's way to send an SMS, by unmodified boto3 against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from delivery.providers.sns_sms import SnsSmsTransport
from delivery.providers.transport import Reaction, TransportError
from delivery.providers.voice import VoiceTransport
from delivery.tables import MessageKind
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.delivery.counterparts import CALL, TEXT


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as opened:
        yield opened


@pytest.fixture
def web(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url) as opened:
        opened.post("/sandbox/reset").raise_for_status()
        yield opened


def only_message(web: httpx.Client) -> dict[str, Any]:
    (found,) = web.get("/sandbox/messages").json()["messages"]
    return dict(found)


def test_the_text_is_read_by_the_sender_s_voice_when_a_call_is_taken(sandbox: SandboxServer, web: httpx.Client) -> None:
    voice = VoiceTransport(region="eu-central-1", endpoint_url=sandbox.url)
    accepted = voice.send(replace(CALL, details={"voice": "AMY"}))
    call = only_message(web)
    assert (call["message_id"], call["kind"], call["to"]) == (accepted.provider_id, "voice", [CALL.recipient])
    assert (call["text"], call["tags"]["mid"]) == (CALL.text, "m-1")
    assert call["headers"] == [{"name": "Voice", "value": "AMY"}]
    assert voice.read_rate() is None


def test_a_call_is_rejected_when_its_sender_is_no_number(sandbox: SandboxServer, web: httpx.Client) -> None:
    voice = VoiceTransport(region="eu-central-1", endpoint_url=sandbox.url)
    with pytest.raises(TransportError) as caught:
        voice.send(replace(CALL, sender="FernKettle"))
    assert caught.value.reaction is Reaction.REJECT
    assert web.get("/sandbox/messages").json()["messages"] == []


@pytest.mark.parametrize(
    ("kind", "message_type"), [(MessageKind.MARKETING, "PROMOTIONAL"), (MessageKind.TRANSACTIONAL, "TRANSACTIONAL")]
)
@pytest.mark.parametrize("sender", ["FernKettle", "+442079460000"])
def test_the_sender_and_the_kind_are_on_the_sms_when_it_goes_by_sns(
    sandbox: SandboxServer, web: httpx.Client, kind: MessageKind, message_type: str, sender: str
) -> None:
    SnsSmsTransport(region="eu-central-1", endpoint_url=sandbox.url).send(replace(TEXT, kind=kind, sender=sender))
    text = only_message(web)
    assert (text["kind"], text["text"], text["from"]) == ("sms", TEXT.text, sender)
    assert text["message_type"] == message_type
