"""What people send to us: published signed, in AWS's shapes, and read by us."""

from __future__ import annotations

import httpx

from core.clock import SystemClock
from delivery.callbacks.events import read_event
from delivery.callbacks.inbound_mails import InboundMail
from delivery.callbacks.inbound_texts import InboundText, Word
from sandbox.server import SandboxServer
from tests.sandbox.conftest import Receiver, wait_until


def test_a_text_and_a_mail_arrive_when_somebody_sends_them(wired: SandboxServer, receiver: Receiver) -> None:
    text = {"origin": "+447700900123", "destination": "+447700900999", "text": "STOP"}
    httpx.post(f"{wired.url}/sandbox/texts", json=text).raise_for_status()
    mail = {"sender": "alice@people.example", "recipients": ["leave+x@in.shop.example"], "subject": "unsubscribe"}
    httpx.post(f"{wired.url}/sandbox/mails", json=mail).raise_for_status()
    first, second = wait_until(lambda: len(receiver.of_kind("Notification")) == 2 and receiver.of_kind("Notification"))
    came = [read_event(one["Message"], SystemClock().now()) for one in (first, second)]
    assert isinstance(came[0], InboundText)
    assert isinstance(came[1], InboundMail)
    assert came[0].word is Word.STOP
    assert came[1].recipients == ("leave+x@in.shop.example",)


def test_nothing_is_published_when_it_is_nothing_that_somebody_sends(wired: SandboxServer) -> None:
    assert httpx.post(f"{wired.url}/sandbox/texts", json={"text": "STOP"}).status_code == 400
    assert httpx.post(f"{wired.url}/sandbox/mails", content=b"[").status_code == 400


def test_the_way_out_is_told_when_there_is_no_topic(shared_sandbox: SandboxServer) -> None:
    text = {"origin": "+447700900123", "destination": "+447700900999", "text": "STOP"}
    assert httpx.post(f"{shared_sandbox.url}/sandbox/texts", json=text).status_code == 409
