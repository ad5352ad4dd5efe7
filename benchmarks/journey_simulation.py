"""How fast a population goes through a journey of six steps on the virtual clock, over ninety days.

Everybody signs up at an instant of the first sixty days; a fifth of them order something afterwards, and some open and
click what they are sent. The people are read from a database, with their consents, addresses and zones.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

import migrations
from benchmarks.journey_world import START, WORKSPACE, open_town
from core.bulk import insert_fresh
from core.clock import to_micros
from core.database import batches
from core.definitions import publish
from core.runtime import Runtime
from core.vault import Vault
from customers.tables import ProfileStatus, consent_entry, identity, profile
from journeys.questions import Event
from journeys.simulation.feed import Stated
from journeys.simulation.plan import Plan
from journeys.simulation.responses import Responses
from journeys.simulation.setting import make_plan
from journeys.simulation.simulate import simulate

PEOPLE = 20_000
SLUG = "series"
JOURNEY: Mapping[str, Any] = {
    "journey": SLUG,
    "status": "live",
    "enter": {"event": "signed_up", "if": {"consent": "email.marketing", "is": "granted"}},
    "goal": {"event": "order_placed", "within": "30d", "value": "total"},
    "quiet_hours": {"from": "21:00", "to": "08:00"},
    "limits": [{"messages": 3, "per": "7d"}],
    "defaults": {"topic": "marketing", "expires_after": "3d"},
    "steps": [
        {"id": "hello", "email": "hello"},
        {"id": "rest", "wait": "2d"},
        {"id": "answer", "wait_for": {"event": "order_placed"}, "timeout": "14d"},
        {"id": "morning", "wait_until": {"time": "10:00"}},
        {
            "id": "place",
            "choose": [
                {
                    "if": {"attribute": "country", "is": {"in": ["GB", "DE"]}},
                    "then": [{"id": "near", "email": "again", "if": {"not": {"event": "order_placed"}}}],
                }
            ],
            "else": [{"id": "far", "email": "again"}],
        },
    ],
}
_WORKSPACE: Mapping[str, Any] = {
    **WORKSPACE,
    "topics": {"marketing": {"name": "Letters", "kind": "marketing"}},
    "senders": {"letters": {"from": "letters@shop.example", "channel": "email"}},
}
_MAIL = "---\ntemplate: {name}\nchannel: email\nsubject: Hello\n---\n<mjml><mj-body></mj-body></mjml>\n"
_LENGTH = timedelta(days=90)
_ENTRIES_MIN = 60 * 24 * 60
_ZONES = ("Europe/London", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney")
_COUNTRIES = ("GB", "DE", "US", "IN", "AU")
_RESPONSES = Responses(opens=0.3, clicks=0.03, seed="bench")
_BATCH = 10_000


def measure_simulation(folder: Path, people: int = PEOPLE) -> dict[str, float]:
    """People a second, with as many workers as the machine has cores and with one; each twice, the better counts."""
    migrations.upgrade(f"sqlite:///{folder / 'town.db'}")
    with open_town(folder) as runtime:
        _fill(runtime, people)
        with runtime.database.read() as connection:
            plan = make_plan(
                connection, runtime.vault, SLUG, START, START + _LENGTH, responses=_RESPONSES, lines_fed=2 * people
            )
        feed = Stated({number: _happening(number) for number in range(1, people + 1)})
        return {
            "simulate_profiles_per_s": max(_measure(runtime, plan, feed, None) for _ in range(2)),
            "simulate_profiles_per_s_one_worker": max(_measure(runtime, plan, feed, 1) for _ in range(2)),
        }


def _measure(runtime: Runtime, plan: Plan, feed: Stated, workers: int | None) -> float:
    begun = time.perf_counter()
    tally, _ = simulate(runtime, plan, feed, workers=workers)
    seconds = time.perf_counter() - begun
    sent = sum(tally.sent.values())
    if tally.entered != len(feed.events) or sent < tally.entered or tally.inside:
        raise RuntimeError(f"of {len(feed.events)} people {tally.entered} entered, and {sent} messages were sent")
    return tally.people / seconds


def _happening(number: int) -> list[Event]:
    signed_up = START + timedelta(minutes=number * 7_919 % _ENTRIES_MIN)
    events = [Event(2 * number - 1, "signed_up", signed_up, signed_up, {"source": "site"})]
    if number % 5 == 0:
        ordered = signed_up + timedelta(hours=30 + number % 400)
        events.append(Event(2 * number, "order_placed", ordered, ordered, {"total": 10 + number % 90}))
    return events


def _fill(runtime: Runtime, people: int) -> None:
    published: list[tuple[str, str, Any]] = [
        ("workspace", "bench", _WORKSPACE),
        *(("template", name, {"text": _MAIL.format(name=name)}) for name in ("hello", "again")),
        ("journey", SLUG, JOURNEY),
    ]
    with runtime.database.transaction() as connection:
        for kind, slug, document in published:
            source = document["text"] if kind == "template" else ""
            publish(connection, kind, slug, document=document, source=source, file=f"{slug}.yaml", now=START)
    for numbers in batches(range(1, people + 1), _BATCH):
        runtime.vault.prepare(numbers)
        with runtime.database.transaction() as connection:
            _write(connection, runtime.vault, numbers)


def _write(connection: Connection, vault: Vault, numbers: Sequence[int]) -> None:
    at = to_micros(START - timedelta(days=30))
    emails = {number: f"person{number}@people.example" for number in numbers}
    lookups = {number: vault.blind_index("email", email) for number, email in emails.items()}
    insert_fresh(
        connection,
        profile,
        ("id", "status", "created_at", "updated_at", "timezone", "country", "has_email", "has_phone", "attributes"),
        [
            (
                number,
                ProfileStatus.ACTIVE.value,
                at,
                at,
                _of(_ZONES, number),
                _of(_COUNTRIES, number),
                True,
                False,
                "{}",
            )
            for number in numbers
        ],
    )
    insert_fresh(
        connection,
        identity,
        ("profile_id", "kind", "lookup", "sealed", "is_verified", "is_synthetic", "created_at"),
        [
            (number, "email", lookups[number], vault.seal(number, "identity.email", email), False, False, at)
            for number, email in emails.items()
        ],
    )
    insert_fresh(
        connection,
        consent_entry,
        (
            "key", "lookup", "profile_id", "channel", "topic", "status", "basis", "source", "occurred_at", "recorded_at"
        ),
        [
            (f"bench:{number}", lookups[number], number, "email", "marketing", "granted", "opt_in", "bench", at, at)
            for number in numbers
        ],
    )  # fmt: skip


def _of(choices: Sequence[str], number: int) -> str:
    return choices[number % len(choices)]


def main() -> None:
    people = int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE
    with tempfile.TemporaryDirectory(prefix="postilion-bench-") as folder:
        figures = measure_simulation(Path(folder), people)
    print(json.dumps({name: round(one, 1) for name, one in figures.items()}))


if __name__ == "__main__":
    main()
