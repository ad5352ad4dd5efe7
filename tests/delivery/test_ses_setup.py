"""Setting an account up with unmodified boto3 against the sandbox: planned first, done once, and then it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from console.aws_setup import WayBack, wanted_of
from core.errors import InputError
from core.settings import Settings
from customers.workspace import parse_workspace
from delivery.providers.ses_setup import DESTINATION, EVENTS, Part, SesSetup, Standing, Wanted
from delivery.providers.transport import TransportError
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer

REGION = "eu-central-1"
SHOP: dict[str, Any] = {
    "workspace": "shop",
    "timezone": "Europe/London",
    "currency": "GBP",
    "senders": {
        "letters": {"from": "letters@shop.example", "channel": "email", "configuration_set": "shop-marketing"},
        "orders": {"from": "orders@Shop.example", "channel": "email", "configuration_set": "shop-transactional"},
        "texts": {"from": "Shop", "channel": "sms"},
    },
}
BY_QUEUE = Wanted("postilion-shop", ["shop-marketing", "shop-transactional"], ["shop.example"], queue="postilion-shop")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(folder=tmp_path / "sandbox")) as server:
        yield server


def walk(sandbox: SandboxServer, wanted: Wanted, *, apply: bool = False) -> tuple[SesSetup, list[Part]]:
    setup = SesSetup(REGION, sandbox.url)
    return setup, list(setup.walk(wanted, apply=apply))


def aws(sandbox: SandboxServer, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, region_name=REGION, endpoint_url=sandbox.url, aws_access_key_id="a", aws_secret_access_key="b"
    )


def test_nothing_is_made_when_only_the_plan_is_shown(sandbox: SandboxServer) -> None:
    for _ in range(2):
        setup, parts = walk(sandbox, BY_QUEUE)
        assert {part.standing for part in parts} == {Standing.MISSING}
        assert setup.topic_arn is None
    assert aws(sandbox, "sns").list_topics()["Topics"] == []


def test_everything_stands_when_it_was_applied_and_is_walked_again(sandbox: SandboxServer) -> None:
    made, parts = walk(sandbox, BY_QUEUE, apply=True)
    assert {part.standing for part in parts} == {Standing.MADE}
    for apply in (False, True):
        again, parts = walk(sandbox, BY_QUEUE, apply=apply)
        assert {part.standing for part in parts} == {Standing.STANDS}
        assert (again.topic_arn, again.queue_url) == (made.topic_arn, made.queue_url)


def test_reports_reach_the_queue_when_mail_goes_out_through_the_new_set(sandbox: SandboxServer) -> None:
    setup, _parts = walk(sandbox, BY_QUEUE, apply=True)
    aws(sandbox, "sesv2").send_email(
        FromEmailAddress="letters@shop.example",
        Destination={"ToAddresses": ["success@simulator.amazonses.com"]},
        Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        EmailTags=[{"Name": "mid", "Value": "m1"}],
        ConfigurationSetName="shop-marketing",
    )
    kinds: set[str] = set()
    for _ in range(10):
        received = aws(sandbox, "sqs").receive_message(QueueUrl=setup.queue_url, WaitTimeSeconds=2)
        for one in received.get("Messages", ()):
            kinds.add(json.loads(json.loads(one["Body"])["Message"])["eventType"])
        if kinds >= {"Send", "Delivery"}:
            break
    assert kinds >= {"Send", "Delivery"}


def test_corrected_when_somebody_changed_what_is_ours_and_left_when_it_is_not(sandbox: SandboxServer) -> None:
    setup, _parts = walk(sandbox, BY_QUEUE, apply=True)
    ses, sns = aws(sandbox, "sesv2"), aws(sandbox, "sns")
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "sns:Subscribe", "Resource": "*"}
    changed = json.dumps({"Version": "2012-10-17", "Statement": theirs})
    sns.set_topic_attributes(TopicArn=setup.topic_arn, AttributeName="Policy", AttributeValue=changed)
    destination = {"SnsDestination": {"TopicArn": setup.topic_arn}, "Enabled": True}
    ses.update_configuration_set_event_destination(
        ConfigurationSetName="shop-marketing",
        EventDestinationName=DESTINATION,
        EventDestination={**destination, "MatchingEventTypes": ["SEND"]},
    )
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="shop-marketing",
        EventDestinationName="clicks",
        EventDestination={**destination, "MatchingEventTypes": ["CLICK"]},
    )
    planned = {part.name: part.standing for part in walk(sandbox, BY_QUEUE)[1]}
    assert planned["postilion-shop"] in (Standing.DIFFERS, Standing.STANDS)
    assert planned[f"shop-marketing/{DESTINATION}"] is Standing.DIFFERS
    assert planned["shop-marketing/clicks"] is Standing.ATTENTION
    done = {part.name: part.standing for part in walk(sandbox, BY_QUEUE, apply=True)[1]}
    assert done[f"shop-marketing/{DESTINATION}"] is Standing.CHANGED
    policy = json.loads(sns.get_topic_attributes(TopicArn=setup.topic_arn)["Attributes"]["Policy"])
    assert [one["Sid"] for one in policy["Statement"]] == ["Theirs", "PostilionSes"]
    listed = ses.get_configuration_set_event_destinations(ConfigurationSetName="shop-marketing")["EventDestinations"]
    assert {one["Name"]: set(one["MatchingEventTypes"]) for one in listed} == {
        DESTINATION: set(EVENTS),
        "clicks": {"CLICK"},
    }


def test_subscription_waits_for_its_confirmation_when_nobody_answers(sandbox: SandboxServer) -> None:
    wanted = Wanted(
        "postilion-shop", ["shop-marketing"], ["shop.example"], endpoint="http://127.0.0.1:9/v1/callbacks/ses"
    )
    assert {part.standing for part in walk(sandbox, wanted, apply=True)[1]} == {Standing.MADE}
    (pending,) = [part for part in walk(sandbox, wanted)[1] if part.kind == "subscription"]
    assert pending.standing is Standing.ATTENTION
    assert "POSTILION_SNS_TOPICS" in pending.remark


def test_error_says_what_aws_said_when_nobody_is_reached() -> None:
    with pytest.raises(TransportError, match="EndpointConnectionError"):
        list(SesSetup(REGION, "http://127.0.0.1:9").walk(BY_QUEUE))


def test_wanted_is_what_workspace_and_settings_say() -> None:
    shop = parse_workspace(SHOP)
    settings = Settings(public_url="https://links.shop.example/")
    wanted = wanted_of(shop, settings)
    assert (wanted.topic, wanted.endpoint, wanted.queue) == (
        "postilion-shop",
        "https://links.shop.example/v1/callbacks/ses",
        None,
    )
    assert (wanted.configuration_sets, wanted.domains) == (["shop-marketing", "shop-transactional"], ["shop.example"])
    assert wanted_of(shop, settings, WayBack.SQS).queue == "postilion-shop"
    assert wanted_of(shop, Settings()).queue == "postilion-shop"
    named = Settings(sqs_queue="https://sqs.eu-central-1.amazonaws.com/1/ours")
    assert wanted_of(shop, named).queue == "ours"
    with pytest.raises(InputError, match="choose --by sqs"):
        wanted_of(shop, Settings(), WayBack.HTTPS)


def test_refused_when_a_sender_has_no_configuration_set() -> None:
    senders = {**SHOP["senders"], "bare": {"from": "x@shop.example", "channel": "email"}}
    with pytest.raises(InputError, match="'bare' names no configuration set"):
        wanted_of(parse_workspace({**SHOP, "senders": senders}), Settings())
    with pytest.raises(InputError, match="no sender of e-mail"):
        wanted_of(parse_workspace({**SHOP, "senders": {}}), Settings())
