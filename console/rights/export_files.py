"""The files with copies of people's data: where they lie, and when they go.

A file's name holds the profile's number, an instant and chance; nobody guesses it, and nothing personal stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.ids import random_id
from core.runtime import Runtime
from core.settings import Settings

KEPT_FOR = timedelta(days=7)

_NAME = re.compile(r"profile-(\d+)-(\d{8}T\d{6}Z)-[0-9a-f]{12}\.zip(\.part)?")
_STAMP = "%Y%m%dT%H%M%SZ"


def export_folder(settings: Settings) -> Path:
    """The folder of exports, made for its owner alone."""
    folder = settings.state_folder / "exports"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def new_name(profile_id: int, now: datetime) -> str:
    return f"profile-{profile_id}-{now.astimezone(UTC):{_STAMP}}-{random_id()[:12]}.zip"


def find_file(settings: Settings, name: str) -> Path | None:
    """The export called `name`, if it is still there."""
    file = settings.state_folder / "exports" / name
    return file if _NAME.fullmatch(name) and file.is_file() else None


def delete_exports_of(settings: Settings, profile_ids: Collection[int]) -> int:
    """Delete every copy of these profiles' data; answers how many there were."""
    return sum(_delete(file) for file, profile_id, _ in _files(settings) if profile_id in profile_ids)


def delete_old_exports(runtime: Runtime, now: datetime) -> int:
    """Delete the copies that are older than 7 days; answers how many there were."""
    return sum(_delete(file) for file, _, made_at in _files(runtime.settings) if now - made_at > KEPT_FOR)


def _files(settings: Settings) -> Iterator[tuple[Path, int, datetime]]:
    folder = settings.state_folder / "exports"
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if found := _NAME.fullmatch(file.name):
            yield file, int(found[1]), datetime.strptime(found[2], _STAMP).replace(tzinfo=UTC)


def _delete(file: Path) -> bool:
    file.unlink(missing_ok=True)
    return True
