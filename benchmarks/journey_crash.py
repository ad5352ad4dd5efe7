"""Kills the engine at every edge of a journey of six steps, and two racing workers at random, and compares.

Time is virtual. Whatever was killed, in the end everybody's journal must be that of a run in which nothing was, and the
provider must have taken no message twice. One difference is allowed: a message that died between the ledger's `sending`
and the provider's hands is `unknown`. What a dead worker held is late by the lease of a claim, or by the ten minutes
after which a call is given up, and so are the journal's lines of its step.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import migrations
from benchmarks.journey_mortal import NEVER, WORKERS
from benchmarks.journey_story import Lived, Plan, Story, Theatre, play
from delivery.ledger import LEASE, STUCK
from delivery.tables import MessageStatus

_LATE = STUCK + LEASE  # what a death may cost a message that it held


@dataclass(frozen=True, slots=True)
class Size:
    every: int  # of so many edges one is a place to die
    races: int  # stories with two workers
    kills: int  # in each race


WHOLE = Size(every=1, races=24, kills=6)
SHORT = Size(every=36, races=1, kills=4)


@dataclass(slots=True)
class Harvest:
    """What all the stories came to. `unknown` counts messages of which nobody knows whether they were taken."""

    kills: int = 0
    journals_differing: int = 0
    doubled: int = 0
    unknown: int = 0
    journals: int = 0
    edges: int = 0

    def add(self, calm: Story, story: Story) -> None:
        self.kills += story.kills
        self.journals += len(calm.lives)
        self.journals_differing += len(find_differing(calm, story))
        self.doubled += sum(times > 1 for times in story.taken.values())
        self.unknown += sum(one.is_unknown(message_id) for one in story.lives.values() for message_id in one.messages)


def measure_crash(folder: Path, url: str | None = None, size: Size = WHOLE, seed: int = 7) -> dict[str, int]:
    """`kills`, how many journals differ, and how many messages the provider took twice; then what it was about.

    `url` names an empty database with our schema; without it one is made on SQLite. As many stories are played at
    once as the machine has cores.
    """
    if url is None:
        url = f"sqlite:///{folder / 'empty.db'}"
        migrations.upgrade(url)
    chance, theatre = Random(seed), Theatre(folder, url)
    theatre.build()
    calm = play(theatre.stage("calm"), Plan("calm"))
    plans = [Plan(f"edge_{fatal}", (fatal,)) for fatal in range(1, calm.edges + 1, size.every)]
    for number in range(size.races):
        pauses = tuple(chance.uniform(0.02, 0.4) for _ in range(size.kills))
        plans.append(Plan(f"race_{number}", (NEVER,) * WORKERS, pauses))
    harvest = Harvest(edges=calm.edges)
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        for story in pool.map(partial(_play, theatre), plans):
            harvest.add(calm, story)
    return {name: getattr(harvest, name) for name in Harvest.__slots__}


def _play(theatre: Theatre, plan: Plan) -> Story:
    stage = theatre.stage(plan.name)
    try:
        return play(stage, plan)
    finally:
        shutil.rmtree(stage.folder)


def find_differing(calm: Story, story: Story) -> set[str]:
    """The runs whose journal is not that of the undisturbed story."""
    both = calm.lives.keys() & story.lives.keys()
    return (
        (calm.lives.keys() ^ both)
        | (story.lives.keys() ^ both)
        | {uid for uid in both if not _is_same(calm.lives[uid], story.lives[uid], story.held)}
    )


def _is_same(calm: Lived, lived: Lived, held: set[str]) -> bool:
    """Whether a life is as it would have been, but for the messages that a worker held when it died."""
    if calm.messages.keys() != lived.messages.keys():
        return False
    late: list[tuple[datetime, datetime]] = []
    for message_id, (status, ended_at) in lived.messages.items():
        would_be, would_end_at = calm.messages[message_id]
        if message_id not in held or ended_at is None or would_end_at is None:
            if (status, ended_at) != (would_be, would_end_at):
                return False
            continue
        if status not in (would_be, MessageStatus.UNKNOWN) or ended_at - would_end_at > _LATE:
            return False
        late.append((would_end_at, ended_at))

    def in_time(instant: datetime | None) -> datetime | None:
        return next((due for due, done in late if instant and due < instant <= done), instant)

    unknown = {message_id for message_id in held & lived.messages.keys() if lived.is_unknown(message_id)}
    steps = {data["step"] for _, _, kind, data in lived.entries if kind == "queued" and data["message"] in unknown}
    entries = [(seq, in_time(when), kind, _known(data, steps)) for seq, when, kind, data in lived.entries]
    return entries == calm.entries and (in_time(lived.end[0]), lived.end[1]) == calm.end


def _known(data: dict[str, Any], steps: set[str]) -> dict[str, Any]:
    """What the journal would say if the outcome of these steps' messages were known."""
    is_unknown = data.get("step") in steps and data.get("branch") == [MessageStatus.UNKNOWN.value]
    return {**data, "branch": [MessageStatus.SENT.value]} if is_unknown else data


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="some of the edges and one race, to see that it works")
    parser.add_argument("--url", help="an empty database with our schema; without, one is made on SQLite")
    given: Any = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postilion-crash-") as folder:
        print(json.dumps(measure_crash(Path(folder), given.url, SHORT if given.short else WHOLE)))


if __name__ == "__main__":
    main()
