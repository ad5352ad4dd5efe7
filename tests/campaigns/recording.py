"""A transport that keeps what it is given, and a worker that hands it everything that is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from campaigns.compose import Composer
from core.runtime import Runtime
from delivery.envelope import Envelope
from delivery.providers.transport import Accepted
from delivery.worker import DeliveryResult, DeliveryWorker


@dataclass
class RecordingTransport:
    """Accepts everything, unless `refuse` raises."""

    channel: str = "email"
    name: str = "recording"
    refuse: Callable[[Envelope], None] | None = None
    sent: list[Envelope] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def send(self, envelope: Envelope) -> Accepted:
        if self.refuse is not None:
            self.refuse(envelope)
        with self.lock:
            self.sent.append(envelope)
            return Accepted(f"provider-{envelope.message_id}")

    def read_rate(self) -> float | None:
        return None


@contextmanager
def worker_for(runtime: Runtime, *transports: RecordingTransport) -> Iterator[DeliveryWorker]:
    by_channel = {transport.channel: transport for transport in transports}
    worker = DeliveryWorker(runtime, by_channel, Composer(runtime).compose, name="test", batch_size=50)
    try:
        yield worker
    finally:
        worker.close()


def deliver_all(runtime: Runtime, *transports: RecordingTransport, now: datetime | None = None) -> DeliveryResult:
    """Rounds until nothing is due."""
    total = DeliveryResult()
    with worker_for(runtime, *transports) as worker:
        for _round in range(200):
            result = worker.deliver(now or runtime.clock.now())
            total += result
            if not result.claimed:
                return total
    raise AssertionError("there is always something due")
