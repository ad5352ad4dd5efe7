"""A mailing for the benchmarks of delivery: people, a template of 35 KB with 28 links, and messages that are due.

Each message carries three offers that its journey has decided, so that composing opens, renders and signs as much as a
real one does. The provider is the sandbox in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.crowd import NOW, WORKSPACE, build_crowd
from core.clock import Clock, SystemClock
from core.database import Database, batches
from core.definitions import publish
from core.key_store import open_key_store
from core.keys import create_key, load_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from delivery.outbox import NewMessage, enqueue
from delivery.tables import OriginKind

ROOT = Path(__file__).resolve().parent.parent
CAMPAIGN = "bench"
_WORKSPACE: Mapping[str, Any] = {
    **WORKSPACE,
    "name": "The Bench",
    "postal_address": "1 Long Road, Farville",
    "senders": {
        "letters": {"from": "Bench <letters@bench.example>", "channel": "email", "configuration_set": "postilion"}
    },
}
_HEAD = """\
---
template: letter
channel: email
subject: "{{ profile.first_name | default('Hello') }}, what we picked for you"
preheader: "Chosen with care in {{ profile.city | default('your city') }}."
topic: marketing
sender: letters
---
<mjml lang="en">
  <mj-head><mj-attributes><mj-all font-family="Arial, sans-serif" /></mj-attributes></mj-head>
  <mj-body background-color="#eeeeee">
    <mj-section><mj-column>
      <mj-text><a href="{{ links.view_in_browser }}">View in your browser</a></mj-text>
      <mj-text>Dear {{ profile.first_name | default("friend") }} {{ profile.last_name | default("") }} of
        {{ profile.city | default("somewhere") }}, you are {{ profile.tier | default("new") }} and came
        {{ profile.visits | default(0) }} times to shop {{ profile.shop | default("one") }}.</mj-text>
    </mj-column></mj-section>
    <mj-section>
      {% for item in offers.cross_sell.items[:3] %}
      <mj-column>
        <mj-image href="{{ item.url }}" src="{{ item.image_url }}" alt="{{ item.name }}" />
        <mj-text>{{ item.name }} {{ item.price | money(item.currency) }}</mj-text>
        <mj-text><a href="{{ item.url }}">Have a look</a></mj-text>
      </mj-column>
      {% endfor %}
    </mj-section>
"""
_STORY = """\
    <mj-text font-size="18px"><h2>Story number {number}</h2><p>{words}</p>
      <a href="https://shop.example/stories/{number}">Read story {number}</a></mj-text>
"""
_FOOT = """\
    <mj-section><mj-column>
      <mj-text>{{ workspace.name }}, {{ workspace.postal_address }}</mj-text>
      <mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> <a href="{{ links.preferences }}">Choose</a></mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>
"""
_STORIES = 19  # with six of offers, view, unsubscribe and preferences: 28 links
_WORDS = " ".join(["A long evening has room for a good story and a pot of something warm."] * 11)
_BODY = "".join(_STORY.format(number=number, words=_WORDS) for number in range(_STORIES))
TEMPLATE = f"{_HEAD}<mj-section><mj-column>{_BODY}</mj-column></mj-section>{_FOOT}"
_BATCH = 5_000


def settings_for(folder: Path, database_url: str, *, endpoint: str, callers: int, **others: str) -> Settings:
    return Settings(
        project=str(folder),
        state=str(folder),
        database_url=database_url,
        keys_url=f"sqlite:///{folder / 'keys.db'}",
        key_file=str(folder / "bench.key"),
        aws_endpoint_url=endpoint,
        workers=str(callers),
        log_level="ERROR",
        **others,
    )


@contextmanager
def open_mailing(settings: Settings, clock: Clock | None = None) -> Iterator[Runtime]:
    """The runtime of a mailing's workspace; its key is made where it is missing."""
    path = Path(settings.key_file)
    vault = Vault(load_key(path) if path.exists() else create_key(path), open_key_store(settings.keys_database))
    vault.create_store()
    database = Database(settings.database)
    try:
        yield Runtime(settings, database, vault, clock or SystemClock())
    finally:
        database.close()
        vault.close()


def build_mailing(settings: Settings, people: int, *, queued: bool = True) -> None:
    """The database at `settings.database` with so many people and, if `queued`, a message due to each."""
    import migrations

    migrations.upgrade(settings.database)
    with open_mailing(settings) as runtime:
        with runtime.database.transaction() as connection:
            for kind, slug, document, source, file in (
                ("workspace", "bench", _WORKSPACE, "", "workspace.yaml"),
                ("template", "letter", {"source": TEMPLATE}, TEMPLATE, "templates/letter.mjml"),
            ):
                publish(connection, kind, slug, document=document, source=source, file=file, now=NOW)
        build_crowd(runtime, people, 1, canaries=("Busy", "busy@mail.example"))
        if queued:
            queue_messages(runtime, people)


def queue_messages(runtime: Runtime, count: int, wave: str = "wave-1") -> None:
    """One message to each of the first `count` people, due since the crowd's day."""
    for numbers in batches(range(1, count + 1), _BATCH):
        with runtime.database.transaction() as connection:
            enqueue(connection, runtime.vault, [_message(number, wave) for number in numbers], NOW)


def _message(number: int, wave: str) -> NewMessage:
    items = [
        {
            "sku": f"S{turn}-{number % 97}",
            "name": f"Product {turn} of {number % 97}",
            "price": 1_995,
            "currency": "GBP",
            "url": f"https://shop.example/products/{turn}-{number % 97}",
            "image_url": f"https://shop.example/images/{turn}-{number % 97}.jpg",
        }
        for turn in range(3)
    ]
    return NewMessage(
        id=f"{wave}-{number}",
        profile_id=number,
        channel="email",
        topic="marketing",
        template="letter",
        origin_kind=OriginKind.JOURNEY,
        origin=CAMPAIGN,
        origin_id=wave,
        step="letter",
        due_at=NOW,
        context={"steps": {"pick": {"offer": "cross_sell", "decision_id": f"d-{number}", "items": items}}},
    )


@contextmanager
def provider(latency_ms: int = 50, rate: float = -1) -> Iterator[str]:
    """The address of a sandbox in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.mailing", str(latency_ms), str(rate)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


def _serve(latency_ms: int, rate: float) -> None:
    from sandbox.options import SandboxOptions
    from sandbox.server import serve

    options = SandboxOptions(latency_ms=latency_ms, max_send_rate=rate, max_24_hour_send=-1, burst_seconds=1.0)
    serve(options, ready=lambda url: print(url, flush=True))


if __name__ == "__main__":
    _serve(int(sys.argv[1]), float(sys.argv[2]))
