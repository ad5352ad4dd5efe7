"""The element `<postilion-offers>` as it is served, and what a page needs to show it."""

from __future__ import annotations

from typing import Final

from tracking.snippet.script import Script, load_script

CSS: Final = "postilion-offers { display: block; min-height: 22em }"


def widget() -> Script:
    """What `/w.js` answers."""
    return load_script("recommender.widget", "w.js")


def tag(public_url: str) -> str:
    """The HTML for a product's page; its sku is for the shop to fill in."""
    script = widget()
    return (
        f'<script async src="{public_url.rstrip("/")}/w.{script.digest}.js"\n'
        f'  integrity="{script.integrity}" crossorigin="anonymous"></script>\n'
        '<postilion-offers placement="product" item="SKU" limit="6"></postilion-offers>'
    )
