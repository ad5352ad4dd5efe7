"""The script for a shop's pages, its hashes, and the HTML that loads it."""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from importlib.resources import files


@cache
def script() -> bytes:
    """The script as it is served."""
    return files("tracking.snippet").joinpath("postilion.js").read_bytes()


def digest() -> str:
    """The part of the script's own address that changes whenever the script does."""
    return hashlib.sha256(script()).hexdigest()[:16]


def integrity() -> str:
    """What the page says of the script (Subresource Integrity, W3C)."""
    return "sha384-" + base64.b64encode(hashlib.sha384(script()).digest()).decode()


def tag(public_url: str, key: str, consent: str | None = None) -> str:
    """The HTML for a shop's pages; `key` is a public write key."""
    address = public_url.rstrip("/")
    asked = f' data-consent="{consent}"' if consent else ""
    return (
        f'<script async src="{address}/postilion.{digest()}.js"\n'
        f'  integrity="{integrity()}" crossorigin="anonymous"\n'
        f'  data-write-key="{key}" data-host="{address}"{asked}></script>'
    )


@cache
def packed() -> bytes:
    """The script, gzipped."""
    return gzip.compress(script(), 9, mtime=0)
