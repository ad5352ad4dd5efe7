"""The main job end to end: `make demo`, or `make demo DATA=orders.parquet` on real orders.

Everything that a person would type is run as a command; the weeks that follow a launch pass in about a minute, because
only the clock is told when to move. What comes out is held against what was planted.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from cli.output import print_table, progress, say
from console.server import serving
from core.clock import ManualClock
from core.ids import content_hash
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from customers.tables import product
from examples.commands import Commands, free_port
from examples.journey_proof import count_journeys, liveliest
from examples.proof import Check, check_against_truth
from examples.shop.browser import Browser
from examples.shop.generate import generate
from examples.shop.mailbox import Mailbox
from examples.shop.recipients import Purchase, Recipients, Tally
from examples.shop.shoppers import Deed, deeds
from examples.shop.truth import Persona, Response, Truth
from examples.shop.who import Directory, everybody_alike, known_people
from examples.world import World

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "demo"
LENGTH = timedelta(days=9)  # a week of orders after the launch, and the waits of the journey
PREPARATION = timedelta(minutes=15)  # what is imported is there before the launch
SEED = 7


@dataclass(frozen=True, slots=True)
class Show:
    """What is shown: a project folder, its data, and who its people are."""

    project: str
    campaign: str
    now: datetime
    imports: tuple[tuple[str, Path], ...]
    directory: Callable[[Runtime], Directory]
    truth: Truth | None = field(default=None, repr=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="orders in the columns of UCI Online Retail")
    data: Path | None = parser.parse_args().data
    if data is not None and not data.is_file():
        sys.exit(f"demo: there is no file {data}: name one with orders, as make demo DATA=orders.parquet.")
    started = time.monotonic()
    shutil.rmtree(BUILD, ignore_errors=True)
    show = _shop() if data is None else _retail(data.resolve())
    _run(show)
    say(f"\nThe demo took [bold]{time.monotonic() - started:.0f} seconds[/].")


def _shop() -> Show:
    folder = BUILD / "data"
    say("[bold]Fern & Kettle[/], an invented shop: five thousand people, fourteen months of orders and visits.")
    with progress("generating the shop", "files") as report:
        report(0, 5)
        truth = generate(folder, seed=SEED)
        report(5, 5)
    kinds = (("profiles", "csv"), ("products", "csv"), ("orders", "csv"), ("events", "jsonl"))
    return Show(
        project="shop",
        campaign="summer_picks",
        now=datetime.fromisoformat(truth.now).astimezone(UTC),
        imports=tuple((kind, folder / f"{kind}.{ending}") for kind, ending in kinds),
        directory=lambda _runtime: known_people(folder / "profiles.csv", truth),
        truth=truth,
    )


def _retail(data: Path) -> Show:
    say(f"[bold]Lantern & Bunting[/], on the orders of {data.name}.")
    return Show(
        project="retail",
        campaign="christmas_table",
        now=datetime(2011, 12, 10, 8, tzinfo=UTC),
        imports=(("orders", data),),
        directory=lambda runtime: everybody_alike(runtime, Response(Persona.READER, 0.4, 0.15, 0.3, 0.02, 0.3)),
    )


def _run(show: Show) -> None:
    web_port, sandbox_port = free_port(), free_port()
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    settings = _settings(show, web_port, sandbox_url)
    commands = Commands(settings, show.now - PREPARATION)
    for words in (("init",), ("check",), ("apply",)):
        commands.run(*words)
    for kind, file in show.imports:
        commands.run("import", kind, str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file))
    commands.run("segments", "refresh")
    commands.run("recommend", "mine")
    commands.run("recommend", "rules", "--limit", "8")
    write_key = commands.ask("write-key", "create", "shop")["key"]
    clock = ManualClock(show.now)
    options = ["--port", str(sandbox_port), "--folder", str(BUILD / "sandbox"), "--rate", "500"]
    with (
        commands.sandbox(sandbox_url, *options),
        open_runtime(settings, show.project, clock) as runtime,
        serving(runtime),
    ):
        done = list(deeds(show.truth.responses, clock.now(), SEED)) if show.truth is not None else []
        tally = _live(show, runtime, clock, sandbox_url, write_key, done)
        commands.set_now(clock.now())
        report = BUILD / "report.html"
        commands.run("report", show.campaign, "--html", str(report))
        if done:
            _show_journeys(runtime, commands)
        _show_truth(show, runtime, tally, done)
    say(f"\nThe report with charts:  [bold]{report}[/]")
    if done:
        say(f"Journeys, drawn:         [bold]{BUILD}/*.svg[/]")
    say(f"Every mail, to look at:  postilion sandbox --folder {BUILD / 'sandbox'}   then http://127.0.0.1:8026")


def _settings(show: Show, web_port: int, sandbox_url: str) -> Settings:
    from sandbox.options import SandboxOptions

    return Settings(
        project=str(ROOT / "examples" / show.project),
        state=str(BUILD / "state"),
        key_file=str(BUILD / "keys" / f"{show.project}.key"),
        public_url=f"http://127.0.0.1:{web_port}",
        port=str(web_port),
        aws_endpoint_url=sandbox_url,
        sns_topics=SandboxOptions().topic_arn,
        sns_certificates=str(BUILD / "sandbox" / "certificates"),
        log_level="WARNING",
    )


def _live(
    show: Show, runtime: Runtime, clock: ManualClock, sandbox_url: str, write_key: str, done: Sequence[Deed]
) -> Tally:
    browser, mailbox = Browser(runtime.settings.public_url), Mailbox(sandbox_url)
    directory = show.directory(runtime)
    shelf = _Shelf(runtime, browser, write_key)
    recipients = Recipients(mailbox, browser, directory.find, shelf.buy, shelf.sku_of_page, SEED)
    world = World(runtime, clock, sandbox_url, mailbox, recipients)
    say("")
    recipients.live(directory.people, clock.now())
    for deed in done:
        if deed.event:
            recipients.plan(deed.at, partial(browser.post_event, write_key, deed.as_call()))
        else:
            recipients.plan(deed.at, partial(recipients.order, Purchase(deed.external_id, deed.key), deed.at))
    with progress(f"launching {show.campaign}", "people") as report:
        world.launch(show.campaign, report)
    with progress(f"{LENGTH.days} days pass", "rounds") as report:
        world.live(LENGTH, report)
    recipients.close()
    return recipients.tally


class _Shelf:
    """The simulated shop's till: turns a purchase into the event that a shop's server posts."""

    def __init__(self, runtime: Runtime, browser: Browser, write_key: str) -> None:
        with runtime.database.read() as connection:
            rows = connection.execute(
                select(product.c.sku, product.c.url, func.coalesce(product.c.price, 100), product.c.currency)
                .where(product.c.is_hidden.is_(False))
                .order_by(product.c.sku)
            ).all()
        self._rows = {sku: (price, currency or "GBP") for sku, _url, price, currency in rows}
        self._usual = list(self._rows)
        self.sku_of_page = {
            path: sku
            for sku, url, _price, _currency in rows
            if url and (path := "/" + url.partition("//")[2].partition("/")[2])
        }
        self._browser = browser
        self._write_key = write_key

    def buy(self, purchase: Purchase, at: datetime) -> None:
        sku = purchase.sku or self._usual[int(content_hash(purchase.key)[:12], 16) % len(self._usual)]
        price, currency = self._rows.get(sku, (100, "GBP"))
        properties: dict[str, Any] = {
            "order_id": f"demo-{purchase.key}",
            "currency": currency,
            "products": [{"product_id": sku, "quantity": 1, "price": price / 100}],
        }
        if purchase.decision_id:
            properties["decision_id"] = purchase.decision_id
        event = {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"order-{purchase.key}",
            "userId": purchase.external_id,
            "timestamp": at.isoformat(),
            "properties": properties,
        }
        self._browser.post_event(self._write_key, event)


def _show_journeys(runtime: Runtime, commands: Commands) -> None:
    """What the journeys did, one person's story, and each of them drawn."""
    with runtime.database.read() as connection:
        rows, someone = count_journeys(connection), liveliest(connection, "welcome")
    columns = ["journey", "in", "held out", "inside", "refused", "sent", "unsent", "goals"]
    print_table(f"The journeys after {LENGTH.days} days", columns, [astuple(row) for row in rows])
    for row in rows:
        commands.run("graph", row.journey, "--svg", str(BUILD / f"{row.journey}.svg"))
    if someone is not None:
        commands.run("explain", f"#{someone}", "welcome")


def _show_truth(show: Show, runtime: Runtime, tally: Tally, done: Sequence[Deed]) -> None:
    checks = check_against_truth(runtime, tally, show.truth, show.campaign, BUILD / "data", done)
    marks = {Check.PASSED: "[green]✓[/]", Check.FAILED: "[red]✗[/]"}
    print_table(
        "What came out, against what was planted",
        ["", "what", "planted", "found"],
        [(marks[check.verdict], check.what, check.planted, check.found) for check in checks],
    )
    if any(check.verdict is Check.FAILED for check in checks):
        sys.exit("demo: something that was planted did not come out")


if __name__ == "__main__":
    main()
