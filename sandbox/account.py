"""The pretended AWS account: everything that outlives one request, put together once.

It holds state and knows how a message becomes events; what a request may say is the services' business.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from core.clock import Clock, ManualClock, SystemClock
from sandbox.behaviour import Behaviour, Dice
from sandbox.feedback.mail_events import MailEvent, event_document
from sandbox.feedback.publisher import OVERTAKEN_SECONDS, Publication, Publisher
from sandbox.feedback.queues import Queue
from sandbox.feedback.signing import Signer
from sandbox.feedback.sms_events import SmsEvent, sms_event_document
from sandbox.feedback.topics import Subscription, Topics
from sandbox.message import Happening, Message
from sandbox.options import SandboxOptions
from sandbox.quota import Allowance, Quota
from sandbox.store import Store

FEEDBACK_DESTINATION = "feedback"


@dataclass(slots=True)
class EventDestination:
    """`kinds` are event types as the events themselves say them; `ALL` stands for every one."""

    name: str
    enabled: bool
    kinds: frozenset[str]
    topic_arn: str


@dataclass(slots=True)
class ConfigurationSet:
    name: str
    destinations: dict[str, EventDestination] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SuppressedAddress:
    address: str
    reason: str
    since: datetime


class Account:
    """`close` ends its threads and its file."""

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.clock: Clock = SystemClock()
        self.quota = Quota(options.max_send_rate, options.max_24_hour_send, options.burst_seconds)
        self.topics = Topics(options.region, options.account_id)
        self.queues: dict[str, Queue] = {}
        self.mail_sets: dict[str, ConfigurationSet] = {}
        self.sms_sets: dict[str, ConfigurationSet] = {}
        self.identities: set[str] = set()
        self.forget()
        self.signer = Signer(options.folder, options.certificates, options.region)
        self.store = Store(options.folder)
        self.publisher = Publisher(self.topics, self.queues, self.signer, self.now, options.confirm_on_ack)

    def now(self) -> datetime:
        """What the sandbox's clock says at this moment; the clock itself may be exchanged."""
        return self.clock.now()

    def forget(self) -> None:
        """Behaviour, clock, counts and lists as at the start; topics, queues and configuration sets stay."""
        self.clock = SystemClock()
        self.behaviour = Behaviour(latency_ms=self.options.latency_ms)
        self.dice = Dice(self.options.seed)
        self.suppressed: dict[str, SuppressedAddress] = {}
        self.accepted: Counter[str] = Counter()
        self.recipients: Counter[str] = Counter()
        self.published: Counter[str] = Counter()
        self.quota.forget()

    def reset(self) -> None:
        """As `forget`, and no message, no event on its way and nothing in a queue."""
        self.publisher.forget()
        for queue in list(self.queues.values()):
            queue.clear()
        self.store.clear()
        self.forget()

    def stand_still_at(self, instant: datetime) -> None:
        self.clock = ManualClock(instant)

    def run_on(self) -> None:
        self.clock = SystemClock()

    def arn(self, service: str, name: str) -> str:
        return f"arn:aws:{service}:{self.options.region}:{self.options.account_id}:{name}"

    def take_quota(self, recipient_count: int) -> Allowance:
        return self.quota.take(recipient_count, self.clock.now(), time.monotonic())

    def accept(self, message: Message) -> None:
        self.store.add(message)
        self.accepted[message.kind.value] += 1
        self.recipients.update(message.recipients)

    def publish_mail_events(self, message: Message, events: list[MailEvent]) -> None:
        region, account_id = self.options.region, self.options.account_id
        for number, event in enumerate(events, start=1):
            self.store.add_happening(
                Happening(message.seq, _title(event), event.recipient, self.clock.now(), event.note)
            )

            def compose(event: MailEvent = event) -> str:
                return _json(event_document(event, message, self.clock.now(), region, account_id))

            self._publish(self.mail_sets, message, event.kind, compose, number)

    def publish_sms_events(self, message: Message, events: list[SmsEvent]) -> None:
        for number, event in enumerate(events, start=1):
            self.store.add_happening(
                Happening(message.seq, event.kind, message.recipients[0], self.clock.now(), event.note)
            )

            def compose(event: SmsEvent = event) -> str:
                return _json(sms_event_document(event, message, self.clock.now()))

            self._publish(self.sms_sets, message, event.kind, compose, number)

    def subscribe(self, topic_arn: str, protocol: str, endpoint: str, raw: bool, held: bool) -> Subscription:
        """The subscription, asked to confirm where its protocol wants that. Raises KeyError without such a
        topic.
        """
        topic = self.topics.find(topic_arn)
        if topic is None:
            raise KeyError(topic_arn)
        subscription = self.topics.subscribe(topic, protocol, endpoint, raw, held)
        if protocol == "sqs":
            subscription.confirmed = True
        elif not subscription.confirmed:
            self.publisher.ask_to_confirm(subscription)
        return subscription

    def wire_feedback(self) -> None:
        """The configuration set of the options, for mail and SMS, with its events going to the feedback
        URL if there is one.
        """
        name, url = self.options.configuration_set, self.options.feedback_url
        sets = [kind.setdefault(name, ConfigurationSet(name)) for kind in (self.mail_sets, self.sms_sets)]
        if not url:
            return
        topic = self.topics.create(self.options.topic_name, self.options.signature_version)
        for one in sets:
            one.destinations[FEEDBACK_DESTINATION] = EventDestination(
                FEEDBACK_DESTINATION, True, frozenset({"ALL"}), topic.arn
            )
        self.subscribe(topic.arn, url.partition(":")[0], url, raw=False, held=True)

    def close(self) -> None:
        self.publisher.close()
        self.store.close()

    def _publish(
        self,
        sets: dict[str, ConfigurationSet],
        message: Message,
        kind: str,
        compose: Callable[[], str],
        number: int,
    ) -> None:
        configuration_set = sets.get(message.configuration_set)
        for destination in configuration_set.destinations.values() if configuration_set else ():
            if not destination.enabled or not {"ALL", kind} & destination.kinds:
                continue
            self.published[kind] += 1
            overtaken = self.dice.falls("reorder", self.behaviour.reorder)
            copies = 2 if self.dice.falls("duplicate", self.behaviour.duplicate) else 1
            delay_s = number * self.options.event_delay_ms / 1000 + (OVERTAKEN_SECONDS if overtaken else 0)
            self.publisher.publish(Publication(destination.topic_arn, compose, message.message_id), delay_s, copies)


def _title(event: MailEvent) -> str:
    return f"{event.kind} · {event.sub_kind}" if event.kind == "Bounce" else event.kind


def _json(document: dict[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
