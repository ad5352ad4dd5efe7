"""Pictures and other files of the project, published under the hash of their bytes, so that an address never changes
what it shows.

What is published stays: a mail is opened for years. Where it lies, `AssetStore` says: a folder that the web server
shows, or a bucket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.errors import Fault, display_path
from core.ids import content_hash

FOLDER = "assets"
HEAVY = 1_000_000  # bytes from which on a picture makes people wait
MAX_SIZE = 10_000_000

# What mail programs show or hand on; a script is not among them.
CONTENT_TYPES: Mapping[str, str] = {
    ".gif": "image/gif",
    ".ics": "text/calendar; charset=utf-8",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
CACHE_CONTROL = "public, max-age=31536000, immutable"
PLACE = re.compile(r"[0-9a-f]{32}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file below `assets/`. `name` is what templates call it, `place` where it is published, below the address of
    all assets.
    """

    name: str
    place: str
    content: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        return content_type_of(self.name)


class AssetStore(Protocol):
    def publish(self, asset: Asset) -> bool:
        """Make `asset` reachable; answers whether it was new. Raises EnvironmentFaultError."""
        ...


def content_type_of(name: str) -> str:
    """The media type of a file of this name; raises KeyError when it cannot be an asset."""
    return CONTENT_TYPES[Path(name).suffix.lower()]


def read_assets(project: Path) -> tuple[tuple[Asset, ...], list[Fault]]:
    """The files below `assets/` that can be published, and what is wrong with others. Hidden files are passed over."""
    folder = project / FOLDER
    assets, faults = [], []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or any(part.startswith(".") for part in Path(name).parts):
            continue
        refusal = _refusal(path, folder)
        if refusal is not None:
            faults.append(Fault(display_path(path, project), 1, 1, "E179", *refusal))
            continue
        content = path.read_bytes()
        if len(content) > HEAVY:
            message = f"the file has {len(content) / 1_000_000:.1f} MB"
            hint = "make the picture smaller: 200 KB is plenty for most"
            faults.append(Fault(f"{FOLDER}/{name}", 1, 1, "W218", message, hint))
        assets.append(Asset(name, place_of(name, content), content))
    return tuple(assets), faults


def _refusal(path: Path, folder: Path) -> tuple[str, str] | None:
    """What is wrong and the way out, where the file cannot be an asset."""
    if not path.resolve().is_relative_to(folder.resolve()):
        return "the file is a link that leads out of assets/", "copy the file itself there"
    if path.suffix.lower() not in CONTENT_TYPES:
        return f"a mail cannot show a '{path.suffix}' file", f"assets end in {', '.join(CONTENT_TYPES)}"
    if path.stat().st_size > MAX_SIZE:
        return f"the file is larger than {MAX_SIZE // 1_000_000} MB", "make it smaller"
    return None


def place_of(name: str, content: bytes) -> str:
    """`<hash>/<name>`: where this content is published, for ever."""
    plain = _UNSAFE.sub("-", name.rpartition("/")[2]).lstrip(".-_") or f"asset{Path(name).suffix.lower()}"
    return f"{content_hash(content)[:32]}/{plain[-100:].lstrip('.-_')}"


def publish_assets(store: AssetStore, assets: Iterable[Asset]) -> int:
    """Make all of `assets` reachable; answers how many were new."""
    return sum(store.publish(asset) for asset in assets)


class FolderStore:
    """Keeps assets in a folder, which the web server shows under `/assets/`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, asset: Asset) -> bool:
        target = self._folder / asset.place
        if target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        written = target.with_name(f".{target.name}.new")
        written.write_bytes(asset.content)
        written.replace(target)  # nobody ever sees half a file
        return True

    def find(self, place: str) -> bytes | None:
        """The bytes at `<hash>/<name>`; None when nothing is published there."""
        if not PLACE.match(place):
            return None
        target = self._folder / place
        return target.read_bytes() if target.is_file() else None
