"""The queues of the stand-in: at least once, in no promised order, hidden while somebody works on a message.

Times are real (monotonic) seconds, because visibility is about the reader's work and not about the calendar.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, replace

VISIBILITY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class QueueMessage:
    message_id: str
    body: str
    sent_at_ms: int
    visible_at_s: float = 0.0
    receipt: str = ""
    receive_count: int = 0


class Queue:
    def __init__(self, name: str, arn: str, visibility_s: int = VISIBILITY_SECONDS) -> None:
        self.name = name
        self.arn = arn
        self.visibility_s = visibility_s
        self.policy = ""
        self._messages: OrderedDict[str, QueueMessage] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, body: str, sent_at_ms: int) -> str:
        message = QueueMessage(str(uuid.uuid4()), body, sent_at_ms)
        with self._lock:
            self._messages[message.message_id] = message
        return message.message_id

    def receive(self, limit: int, visibility_s: int | None, now_s: float) -> list[QueueMessage]:
        """Up to `limit` visible messages, which are then hidden for `visibility_s` seconds."""
        hidden_until = now_s + (self.visibility_s if visibility_s is None else visibility_s)
        taken: list[QueueMessage] = []
        with self._lock:
            for message in self._messages.values():
                if len(taken) == limit:
                    break
                if message.visible_at_s <= now_s:
                    taken.append(_received(message, hidden_until))
            for message in taken:
                self._messages[message.message_id] = message
        return taken

    def delete(self, receipt: str) -> None:
        """Deleting twice is no error, as in SQS."""
        with self._lock:
            self._messages.pop(receipt.partition(":")[0], None)

    def clear(self) -> None:
        with self._lock:
            self._messages.clear()

    def counts(self, now_s: float) -> tuple[int, int]:
        """How many messages are visible, how many hidden."""
        with self._lock:
            visible = sum(message.visible_at_s <= now_s for message in self._messages.values())
            return visible, len(self._messages) - visible


def _received(message: QueueMessage, hidden_until_s: float) -> QueueMessage:
    receive_count = message.receive_count + 1
    return replace(
        message,
        visible_at_s=hidden_until_s,
        receive_count=receive_count,
        receipt=f"{message.message_id}:{receive_count}",
    )
