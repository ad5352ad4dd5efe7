"""Reports by SQS: unmodified boto3 against the sandbox's queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from core.errors import TransientError
from core.runtime import Runtime
from delivery.callbacks import sqs
from delivery.callbacks.sqs import QueuedMessage, SqsQueue
from delivery.intake import Callback, store_callbacks
from delivery.providers.ses import SesTransport
from delivery.report_queue import PATIENCE, Fetched, fetch_forever, fetch_reports
from delivery.tables import delivery_event, refused_callback
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.delivery.ledger_shop import ScriptedTransport, add_person, deliver, queue, row_of
from tests.delivery.test_callback_shapes import in_eventbridge, in_sns
from tests.delivery.test_feedback import BOUNCE, ses_event
from tests.sandbox.conftest import client_for, mail_to, wait_until


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as opened:
        yield opened


@pytest.fixture
def reports(sandbox: SandboxServer, request: pytest.FixtureRequest) -> Iterator[SqsQueue]:
    """An empty queue, which nobody waits at for long."""
    httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()
    name = f"q{abs(hash(request.node.name))}"
    url = client_for(sandbox.url, "sqs").create_queue(QueueName=name)["QueueUrl"]
    opened = SqsQueue(url, region="eu-central-1", endpoint_url=sandbox.url, wait_s=1)
    yield opened
    opened.close()


def put(reports: SqsQueue, *bodies: str) -> None:
    for body in bodies:
        reports._client.send_message(QueueUrl=reports._url, MessageBody=body)


def depth(reports: SqsQueue) -> tuple[int, int]:
    """Visible and hidden messages."""
    told = reports._client.get_queue_attributes(QueueUrl=reports._url, AttributeNames=["All"])["Attributes"]
    return int(told["ApproximateNumberOfMessages"]), int(told["ApproximateNumberOfMessagesNotVisible"])


def count(runtime: Runtime, table: Any) -> int:
    with runtime.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_reports_are_stored_and_deleted_when_they_come_in_every_wrapping(runtime: Runtime, reports: SqsQueue) -> None:
    queue(runtime, add_person(runtime, "alice"))
    deliver(runtime, ScriptedTransport())
    delivery = ses_event("Delivery")
    put(reports, in_sns(delivery, "n1"), in_sns(delivery, "n1"), delivery, delivery, in_eventbridge(BOUNCE))
    fetched = [fetch_reports(runtime, reports, store_callbacks(runtime)) for _ in range(2)]
    assert sum(one.stored for one in fetched) == 3
    assert sum(one.known for one in fetched) == 2
    assert depth(reports) == (0, 0)
    row = row_of(runtime)
    assert (row.delivered_at is not None, row.bounced_at is not None) == (True, True)


@pytest.mark.parametrize("raw", ["false", "true"])
def test_a_bounce_arrives_when_ses_reports_by_a_topic_and_a_queue(
    runtime: Runtime, sandbox: SandboxServer, reports: SqsQueue, raw: str
) -> None:
    """The whole way: SES, its configuration set, SNS, SQS, and us."""
    queue(runtime, add_person(runtime, "alice"))
    deliver(runtime, ScriptedTransport())
    name = f"{runtime.database.engine.dialect.name}-{raw}"
    topic = client_for(sandbox.url, "sns").create_topic(Name=name)["TopicArn"]
    arn = reports._client.get_queue_attributes(QueueUrl=reports._url, AttributeNames=["QueueArn"])
    client_for(sandbox.url, "sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": raw},
    )
    ses = SesTransport(region="eu-central-1", endpoint_url=sandbox.url)
    ses._client.create_configuration_set(ConfigurationSetName=name)
    ses._client.create_configuration_set_event_destination(
        ConfigurationSetName=name,
        EventDestinationName="reports",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["SEND", "BOUNCE"],
            "SnsDestination": {"TopicArn": topic},
        },
    )
    to = "bounce@simulator.amazonses.com"
    ses._client.send_email(**mail_to(to, ConfigurationSetName=name, EmailTags=[{"Name": "mid", "Value": "m1"}]))

    def fetched_bounce() -> bool:
        fetch_reports(runtime, reports, store_callbacks(runtime))
        return row_of(runtime).bounced_at is not None

    wait_until(fetched_bounce)


def test_a_message_is_put_aside_when_it_cannot_be_read_five_times_over(
    runtime: Runtime, reports: SqsQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqs, "_VISIBILITY_S", 0)  # it is handed out again at once
    put(reports, "neither JSON nor anything", ses_event("Delivery"))
    for turn in range(PATIENCE):
        assert count(runtime, refused_callback) == 0, turn
        messages = one_by_one(reports)
        fetched = fetch_reports(runtime, messages, store_callbacks(runtime))
    assert fetched.refused == 1
    assert depth(reports) == (0, 0)
    with runtime.database.read() as connection:
        row = connection.execute(select(refused_callback)).one()
    assert b"neither" not in row.sealed_document
    assert "no JSON object" in row.reason
    assert count(runtime, delivery_event) == 1


class one_by_one:  # noqa: N801 - reads like the function that it stands for
    """A queue that asks once: with a visibility of nothing a message would be handed out again in the same round."""

    def __init__(self, reports: SqsQueue) -> None:
        self._reports = reports

    def receive(self, _limit: int) -> list[QueuedMessage]:
        return self._reports._receive(1)

    def delete(self, messages: Sequence[QueuedMessage]) -> int:
        return self._reports.delete(messages)


def test_nothing_is_deleted_when_the_database_does_not_take_it(runtime: Runtime, reports: SqsQueue) -> None:
    put(reports, ses_event("Delivery"))

    def broken(_connection: Connection, _callbacks: Sequence[Callback]) -> list[bool]:
        raise OperationalError("INSERT", None, Exception("disk full"))

    with pytest.raises(Exception, match=r"disk full|database"):
        fetch_reports(runtime, reports, broken)
    assert depth(reports) == (0, 1)


def test_others_are_stored_when_one_report_cannot_be(runtime: Runtime, reports: SqsQueue) -> None:
    store = store_callbacks(runtime)

    def picky(connection: Connection, callbacks: Sequence[Callback]) -> list[bool]:
        if any("evil" in one.document for one in callbacks):
            raise ValueError("evil")
        return store(connection, callbacks)

    put(reports, *(ses_event("Delivery", mid=name, provider_id=name) for name in ("a", "evil", "b")))
    assert fetch_reports(runtime, reports, picky) == Fetched(stored=2, left=1)
    assert depth(reports) == (0, 1)
    assert count(runtime, delivery_event) == 2


def test_hundreds_are_fetched_in_few_rounds_when_much_has_piled_up(runtime: Runtime, reports: SqsQueue) -> None:
    put(reports, *(ses_event("Delivery", mid=f"m{number}", provider_id=f"p{number}") for number in range(230)))
    store, rounds = store_callbacks(runtime), 0
    while sum(depth(reports)):
        fetch_reports(runtime, reports, store)
        rounds += 1
    assert count(runtime, delivery_event) == 230
    assert rounds <= 4


def test_fetching_goes_on_when_the_queue_was_away_for_a_while(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        asked = 0

        def receive(self, _limit: int) -> list[QueuedMessage]:
            self.asked += 1
            raise TransientError("the queue cannot be used")

        def delete(self, _messages: Sequence[QueuedMessage]) -> int:
            return 0

    away = Away()
    rests: list[float] = []
    fetch_forever(runtime, away, store_callbacks(runtime), is_stopped=lambda: away.asked == 3, rest=rests.append)
    assert rests == [5.0, 5.0, 5.0]
    assert "not fetched at the moment" in caplog.text


def test_the_queue_s_absence_is_told_in_a_sentence_when_it_does_not_exist(sandbox: SandboxServer) -> None:
    absent = SqsQueue(f"{sandbox.url}/000000000000/none", region="eu-central-1", endpoint_url=sandbox.url, wait_s=0)
    with pytest.raises(TransientError, match="cannot be used"):
        absent.receive(1)
    absent.close()
