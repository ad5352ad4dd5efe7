"""A few weeks of a shop in a minute: the engine's rounds, the provider and the recipients on one clock.

Everything is real but time: messages go out by boto3 over HTTP, events come back signed, people and machines send real
requests to the running web server. Only the clock is told when to move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from time import sleep

from campaigns.compose import Composer
from campaigns.due import choose_occurrence
from campaigns.launch import LaunchResult, finish_launches, launch_campaign
from core.clock import ManualClock
from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.housekeeping import settle_broken_off
from delivery.providers.registry import create_transports
from delivery.worker import DeliveryWorker
from examples.commands import set_sandbox_clock
from examples.shop.mailbox import Mailbox
from examples.shop.recipients import Recipients
from journeys.tick import tick_until_idle
from segments.refresh import refresh_all
from tracking.attribution import credit_orders
from tracking.engagement import settle_engagement

_ROUND = timedelta(hours=2)
_LISTENS_EVERY = 2  # hours: what opens and clicks have become is asked of the whole log
_EVENTS_AT_ONCE = 1_000
_PATIENCE_ROUNDS = 600
_POLL_S = 0.05

Progress = Callable[[int, int | None], None]


@dataclass(slots=True)
class World:
    """One run. `clock` is the one that `runtime` and the web server look at."""

    runtime: Runtime
    clock: ManualClock
    sandbox_url: str
    mailbox: Mailbox
    recipients: Recipients
    delivered: Counter[str] = field(default_factory=Counter)

    def launch(self, campaign: str, progress: Progress) -> LaunchResult:
        now = self.clock.now()
        with self.runtime.database.read() as connection:
            occurrence = choose_occurrence(connection, campaign, now)
        return launch_campaign(self.runtime, campaign, occurrence, now, progress)

    def live(self, length: timedelta, progress: Progress) -> None:
        """Let `length` pass, round by round."""
        start = self.clock.now()
        rounds = int(length / _ROUND)
        worker = DeliveryWorker(
            self.runtime,
            create_transports(self.runtime.settings),
            Composer(self.runtime).compose,
            name="demo",
            batch_size=400,
        )
        worker.refresh_rates()
        try:
            for number in range(rounds):
                self._round(worker)
                until = start + (number + 1) * _ROUND
                self.recipients.act_until(until, self.clock.move_to)
                self.clock.move_to(until)
                progress(number + 1, rounds)
            self._listen()
        finally:
            worker.close()

    def _round(self, worker: DeliveryWorker) -> None:
        now = self.clock.now()
        set_sandbox_clock(self.sandbox_url, now)
        if now.hour == 2:
            refresh_all(self.runtime, now=now)
        if now.hour % _LISTENS_EVERY == 0:
            self._listen()
        tick_until_idle(self.runtime, now)
        sent = 0
        while (result := worker.deliver(now)).claimed:
            self.delivered += result.counts
            sent += result.counts["sent"]
        if sent:
            tick_until_idle(self.runtime, now)  # what comes after a message begins when it was sent
            self._wait_for_feedback()
            self.recipients.read_mail(now)

    def _listen(self) -> None:
        """What opens, clicks and orders have become certain."""
        runtime, now = self.runtime, self.clock.now()
        while True:
            with runtime.database.transaction() as connection:
                workspace = get_workspace(connection)
                settled = settle_engagement(connection, runtime.vault, workspace, now, limit=_EVENTS_AT_ONCE)
            if settled < _EVENTS_AT_ONCE:
                break
        with runtime.database.transaction() as connection:
            credit_orders(connection, now)
            settle_broken_off(connection, runtime.vault, now)
            finish_launches(connection, now)

    def _wait_for_feedback(self) -> None:
        for _round in range(_PATIENCE_ROUNDS):
            if self.mailbox.events_are_out():
                return
            sleep(_POLL_S)
        raise RuntimeError("the sandbox still has events to tell: is the web server running?")
