"""A workspace with a crowd and twenty published segments, in a copy that a benchmark may change.

The ten segments that the figures name stand in `NAMED`; ten more make the twenty that are followed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.crowd import NOW, WORKSPACE
from benchmarks.segment_crowd import crowd_file
from core.clock import Clock, ManualClock
from core.database import Database
from core.definitions import publish
from core.errors import ConfigError, has_errors
from core.key_store import open_key_store
from core.keys import create_key, load_key
from core.located import load_yaml
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from customers.workspace import Workspace, get_workspace
from segments.definition import KIND, parse_segment

FOLDER = Path(__file__).resolve().parent / "segments"
NAMED = (
    "bought_not",
    "spent_over",
    "opens_often",
    "opens_nothing",
    "best_fifths",
    "birthday_soon",
    "first_order_last_month",
    "looked_not_bought",
    "in_sequence",
    "one_not_other",
)
_PRODUCT = {"properties": {"sku": "text", "category": "text"}}
SHOP: Mapping[str, Any] = {
    **WORKSPACE,
    "attributes": {**WORKSPACE["attributes"], "last_order_day": {"kind": "number"}},
    "events": {
        **WORKSPACE["events"],
        "product_viewed": _PRODUCT,
        "product_added": _PRODUCT,
        "wish_added": _PRODUCT,
    },
}


def copy_crowd(folder: Path, people: int) -> None:
    """Put a crowd of `people` into `folder`, with the workspace and all segments published and nobody in them yet."""
    shutil.copyfile(crowd_file(people), folder / "postilion.db")
    make_workspace(folder)


def make_workspace(folder: Path) -> None:
    """Publish the workspace and the segments in the database that lies in `folder`, and make its key."""
    create_key(folder / "workspace.key")
    with closing(Database(_url(folder))) as database, database.transaction() as connection:
        publish(connection, "workspace", "bench", document=SHOP, source="", file="workspace.yaml", now=NOW)
        publish_segments(connection, get_workspace(connection))


def publish_segments(connection: Any, workspace: Workspace) -> None:
    """Raises ConfigError for a file that is not right."""
    for file in sorted(FOLDER.glob("*.yaml")):
        located, faults = load_yaml(file.read_bytes(), file.name)
        if located is None:
            raise ConfigError(faults)
        segment, faults = parse_segment(located, file.name, workspace)
        if segment is None or has_errors(faults):
            raise ConfigError(faults)
        publish(
            connection,
            KIND,
            segment.slug,
            document=located.data,
            source=file.read_text(encoding="utf-8"),
            file=f"segments/{file.name}",
            now=NOW,
        )


@contextmanager
def open_world(folder: Path, clock: Clock | None = None) -> Iterator[Runtime]:
    """The workspace in `folder`; without a clock, time stands still at the crowd's present."""
    settings = Settings(project=str(folder), state=str(folder), database_url=_url(folder))
    with closing(open_key_store(f"sqlite:///{folder / 'keys.db'}")) as store:
        vault = Vault(load_key(folder / "workspace.key"), store)
        vault.create_store()
        with closing(Database(settings.database)) as database:
            yield Runtime(settings, database, vault, clock or ManualClock(NOW))


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'postilion.db'}"
