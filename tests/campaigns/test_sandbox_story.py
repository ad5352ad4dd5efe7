"""The same story through boto3: a launch, the worker, and the local stand-in for AWS."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from campaigns.compose import Composer
from campaigns.launch import launch_campaign
from campaigns.schedule import Occurrence
from core.runtime import Runtime
from delivery.providers.ses import SesTransport
from delivery.worker import DeliveryWorker
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.campaigns.shop import NOW, open_shop


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as opened:
        yield opened


def test_every_mail_lies_in_the_sandbox_when_a_campaign_went_through_ses(
    runtime: Runtime, sandbox: SandboxServer
) -> None:
    httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()
    open_shop(runtime, people=60)
    launched = launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    ses = SesTransport(region="eu-central-1", endpoint_url=sandbox.url)
    worker = DeliveryWorker(runtime, {"email": ses}, Composer(runtime).compose, name="test")
    worker.refresh_rates()
    try:
        while worker.deliver(NOW).claimed:
            pass
    finally:
        worker.close()

    mails = httpx.get(f"{sandbox.url}/sandbox/messages").json()["messages"]
    assert len(mails) == launched.counts["message"]
    assert len({mail["tags"]["mid"] for mail in mails}) == len(mails)
    assert {mail["tags"]["variant"] for mail in mails} == {"letter", "short"}
    for mail in mails:
        headers = {header["name"]: header["value"] for header in mail["headers"]}
        assert headers["List-Unsubscribe"].startswith("<https://links.shop.example/u/")
        assert "Unsubscribe" in mail["html"]
        assert "Product" in mail["text"]
