"""Publishes to topics: envelope, signature, fan-out to queues and http(s) endpoints, and a few more tries on
failure.

A publication is signed once for all subscribers. Delivery is at least once; the order is kept for one key
unless the behaviour in force says otherwise.
"""

from __future__ import annotations

import http.client
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import msgspec

from core.clock import to_micros
from sandbox.feedback.courier import Connections, Courier
from sandbox.feedback.queues import Queue
from sandbox.feedback.signing import Signer
from sandbox.feedback.topics import Subscription, Topic, Topics

RETRY_SECONDS = (0.1, 0.5, 2.0)
# A receiver that is started after the sandbox must still be able to confirm: five minutes of patience.
CONFIRMATION_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, *([2.0] * 150))
OVERTAKEN_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Publication:
    """Something to be told to a topic. `compose` is called in the lane, when it is due, and returns the
    Message.
    """

    topic_arn: str
    compose: Callable[[], str]
    key: str
    subject: str = ""
    message_id: str = ""
    """A UUID; left empty, one is made."""


class Publisher:
    """`now` is the sandbox's clock; `queues` is shared with the queue service, by ARN."""

    def __init__(
        self,
        topics: Topics,
        queues: dict[str, Queue],
        signer: Signer,
        now: Callable[[], datetime],
        confirm_on_ack: bool = False,
    ) -> None:
        self._topics = topics
        self._queues = queues
        self._signer = signer
        self._now = now
        self._confirm_on_ack = confirm_on_ack
        self._courier = Courier()
        self._counts: Counter[str] = Counter()
        self._counts_lock = threading.Lock()

    def publish(self, publication: Publication, delay_s: float = 0.0, copies: int = 1) -> None:
        topic = self._topics.find(publication.topic_arn)
        if topic and topic.subscriptions:
            self._courier.submit(
                publication.key, lambda _connections: self._fan_out(topic, publication, copies), delay_s
            )

    def ask_to_confirm(self, subscription: Subscription) -> None:
        """Send the SubscriptionConfirmation with its token, patiently."""
        topic_arn, token = subscription.topic_arn, subscription.token
        host = self._signer.certificate_url.rpartition("/")[0]
        document = {
            "Type": "SubscriptionConfirmation",
            "MessageId": str(uuid.uuid4()),
            "Token": token,
            "TopicArn": topic_arn,
            "Message": f"You have chosen to subscribe to the topic {topic_arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message.",
            "SubscribeURL": f"{host}/?Action=ConfirmSubscription&TopicArn={quote(topic_arn)}&Token={token}",
            "Timestamp": timestamp(self._now()),
        }
        topic = self._topics.find(topic_arn)
        signed = self._signer.signed(document, topic.signature_version if topic else "2")
        self._send(subscription, signed, subscription.arn, CONFIRMATION_RETRY_SECONDS, "confirmations")

    def confirmed(self, subscription: Subscription) -> None:
        """Hand over what was held for a subscription that has just been confirmed."""
        for document in self._topics.release(subscription):
            self._deliver(subscription, document, subscription.arn)

    def counts(self) -> dict[str, int]:
        """How many notifications were `delivered`, `failed` for good, are `held`; and how many jobs are
        `pending`.
        """
        with self._counts_lock:
            counts = {name: self._counts[name] for name in ("delivered", "retried", "failed")}
        held = sum(len(subscription.held or ()) for subscription in self._topics.subscriptions())
        return counts | {"held": held, "pending": self._courier.pending_count}

    def forget(self) -> None:
        self._courier.forget()
        self._topics.forget_held()
        with self._counts_lock:
            self._counts.clear()

    def close(self) -> None:
        self._courier.close()

    def _fan_out(self, topic: Topic, publication: Publication, copies: int) -> None:
        document = {
            "Type": "Notification",
            "MessageId": publication.message_id or str(uuid.uuid4()),
            "TopicArn": topic.arn,
            "Message": publication.compose(),
            "Timestamp": timestamp(self._now()),
        }
        if publication.subject:
            document["Subject"] = publication.subject
        signed = self._signer.signed(document, topic.signature_version)
        for subscription in self._topics.subscriptions(topic) * copies:
            if not self._topics.hold(subscription, signed) and subscription.confirmed:
                self._deliver(subscription, signed, publication.key)

    def _deliver(self, subscription: Subscription, document: dict[str, str], key: str) -> None:
        if subscription.protocol != "sqs":
            self._send(subscription, document, key, RETRY_SECONDS, "delivered")
        elif queue := self._queues.get(subscription.endpoint):
            queue.put(self._body(subscription, document), to_micros(self._now()) // 1000)
            self._count("delivered")
        else:
            self._count("failed")

    def _send(
        self,
        subscription: Subscription,
        document: dict[str, str],
        key: str,
        retry_s: tuple[float, ...],
        counted: str,
    ) -> None:
        body = self._body(subscription, document).encode()
        headers = _headers(subscription, document)
        waits = iter(retry_s)
        confirming = document["Type"] == "SubscriptionConfirmation"

        def attempt(connections: Connections) -> float | None:
            if confirming and subscription.confirmed:
                return None
            try:
                status = connections.post(subscription.endpoint, body, headers)
            except (OSError, http.client.HTTPException):
                status = 0
            if 200 <= status < 300:
                if confirming and self._confirm_on_ack:
                    subscription.confirmed = True
                    self.confirmed(subscription)
                self._count(counted)
                return None
            # What the endpoint refuses (4xx) it will refuse again; a confirmation may come before its routes stand.
            wait_s = next(waits, None) if confirming or status == 0 or status >= 500 else None
            self._count("failed" if wait_s is None else "retried")
            return wait_s

        self._courier.submit(key, attempt)

    def _body(self, subscription: Subscription, document: dict[str, str]) -> str:
        if subscription.raw and document["Type"] == "Notification":
            return document["Message"]
        host = self._signer.certificate_url.rpartition("/")[0]
        if document["Type"] == "Notification":
            document = document | {
                "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={quote(subscription.arn)}"
            }
        return msgspec.json.encode(document).decode()

    def _count(self, name: str) -> None:
        with self._counts_lock:
            self._counts[name] += 1


def timestamp(instant: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z, as SNS and SES write it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def _headers(subscription: Subscription, document: dict[str, str]) -> dict[str, str]:
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": document["Type"],
        "x-amz-sns-message-id": document["MessageId"],
        "x-amz-sns-topic-arn": document["TopicArn"],
    }
    if document["Type"] == "Notification":
        headers["x-amz-sns-subscription-arn"] = subscription.arn
        if subscription.raw:
            headers["x-amz-sns-rawdelivery"] = "true"
    return headers
