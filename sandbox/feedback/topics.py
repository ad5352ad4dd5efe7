"""The topics and their subscriptions: who is told, and whether they have agreed to be.

A subscription of an http(s) endpoint is pending until its token comes back; a queue agrees at once. Lanes
read while the server writes, so every access goes through one lock.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from dataclasses import dataclass, field


@dataclass(slots=True)
class Subscription:
    """`held` collects the publications of a pending subscription that the sandbox itself wired; AWS drops
    them.
    """

    arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    raw: bool
    token: str = field(default_factory=lambda: secrets.token_hex(64))
    confirmed: bool = False
    held: list[dict[str, str]] | None = None


@dataclass(slots=True)
class Topic:
    arn: str
    signature_version: str
    policy: str = ""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)


class Topics:
    def __init__(self, region: str, account_id: str) -> None:
        self._prefix = f"arn:aws:sns:{region}:{account_id}:"
        self._topics: dict[str, Topic] = {}
        self._lock = threading.Lock()

    def create(self, name: str, signature_version: str) -> Topic:
        """The topic of that name, new or as it stands."""
        arn = self._prefix + name
        with self._lock:
            return self._topics.setdefault(arn, Topic(arn, signature_version))

    def find(self, arn: str) -> Topic | None:
        with self._lock:
            return self._topics.get(arn)

    def arns(self) -> list[str]:
        with self._lock:
            return sorted(self._topics)

    def subscribe(self, topic: Topic, protocol: str, endpoint: str, raw: bool, held: bool = False) -> Subscription:
        """The subscription of `endpoint`, new or as it stands."""
        with self._lock:
            for known in topic.subscriptions.values():
                if (known.protocol, known.endpoint) == (protocol, endpoint):
                    return known
            arn = f"{topic.arn}:{uuid.uuid4()}"
            subscription = Subscription(arn, topic.arn, protocol, endpoint, raw, held=[] if held else None)
            topic.subscriptions[arn] = subscription
            return subscription

    def subscriptions(self, topic: Topic | None = None) -> list[Subscription]:
        with self._lock:
            topics = [topic] if topic else list(self._topics.values())
            return [subscription for one in topics for subscription in one.subscriptions.values()]

    def confirm(self, topic: Topic, token: str) -> Subscription | None:
        """The subscription that `token` belongs to, now confirmed; None when the token is nobody's."""
        with self._lock:
            for subscription in topic.subscriptions.values():
                if secrets.compare_digest(subscription.token.encode(), token.encode()):
                    subscription.confirmed = True
                    return subscription
            return None

    def hold(self, subscription: Subscription, document: dict[str, str]) -> bool:
        """Keep `document` for a pending subscription that holds; False when it is confirmed or drops."""
        with self._lock:
            if subscription.confirmed or subscription.held is None:
                return False
            subscription.held.append(document)
            return True

    def release(self, subscription: Subscription) -> list[dict[str, str]]:
        with self._lock:
            held, subscription.held = subscription.held or [], None
            return held

    def unsubscribe(self, arn: str) -> None:
        with self._lock:
            topic = self._topics.get(arn.rpartition(":")[0])
            if topic:
                topic.subscriptions.pop(arn, None)

    def forget_held(self) -> None:
        with self._lock:
            for topic in self._topics.values():
                for subscription in topic.subscriptions.values():
                    if subscription.held is not None:
                        subscription.held = []
