"""`postilion deliver`: advance journeys and send what is due, once, without Prefect."""

from __future__ import annotations

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, progress, say


def register(app: typer.Typer) -> None:
    app.command("deliver")(deliver)


def deliver(context: typer.Context, as_json: AsJson = False) -> None:
    """Advance the journeys and send everything that is due now. `postilion up` does this all day."""
    from collections import Counter
    from contextlib import closing
    from datetime import timedelta

    from campaigns.compose import Composer
    from core.heap import collect_seldom
    from core.ids import random_id
    from delivery.housekeeping import settle_broken_off
    from delivery.providers.registry import create_transports
    from delivery.worker import DeliveryResult, DeliveryWorker
    from journeys.succession import follow_merges
    from journeys.tick import tick_until_idle

    total = DeliveryResult()
    with open_workspace(context) as (runtime, _workspace):
        collect_seldom()
        with runtime.database.transaction() as connection:
            settle_broken_off(connection, runtime.vault, runtime.clock.now())
        follow_merges(runtime, runtime.clock.now())
        tick_until_idle(runtime, runtime.clock.now())
        with closing(create_transports(runtime.settings)) as transports:
            compose = Composer(runtime).compose
            worker = DeliveryWorker(runtime, transports, compose, name=f"deliver-{random_id()[:8]}")
            with closing(worker), progress("delivering", "messages") as report:
                while (result := worker.deliver(runtime.clock.now(), length=timedelta(seconds=2))).claimed:
                    total += result
                    report(total.claimed, None)
    counts = Counter(total.counts)
    if as_json:
        print_json(counts)
    elif counts:
        print_table("Delivery", ["what became of them", "messages"], sorted(counts.items()))
    else:
        say("Nothing is due.")
