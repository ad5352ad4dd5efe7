"""The script for a shop's pages, its hashes, and the HTML that loads it."""

from __future__ import annotations

from tracking.snippet.script import Script, load_script


def snippet() -> Script:
    """What `/postilion.js` answers."""
    return load_script("tracking.snippet", "postilion.js")


def script() -> bytes:
    """The script as it is served."""
    return snippet().body


def digest() -> str:
    """The part of the script's own address that changes whenever the script does."""
    return snippet().digest


def integrity() -> str:
    """What the page says of the script (Subresource Integrity, W3C)."""
    return snippet().integrity


def tag(public_url: str, key: str, consent: str | None = None) -> str:
    """The HTML for a shop's pages; `key` is a public write key."""
    address = public_url.rstrip("/")
    asked = f' data-consent="{consent}"' if consent else ""
    return (
        f'<script async src="{address}/postilion.{digest()}.js"\n'
        f'  integrity="{integrity()}" crossorigin="anonymous"\n'
        f'  data-write-key="{key}" data-host="{address}"{asked}></script>'
    )
