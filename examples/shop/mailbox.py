"""What a simulated recipient sees of a mail: its links, its pixel and its one-click address, taken from the sandbox."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.request import urlopen

_ANCHOR = re.compile(r'<a\b[^>]*?href="([^"]+)"[^>]*>(.*?)</a>', re.DOTALL | re.IGNORECASE)
_PIXEL = re.compile(r'<img\b[^>]*?src="([^"]*/o/[^"]+\.gif)"', re.IGNORECASE)
_TEXT_LINK = re.compile(r"https?://\S+")
_ONE_CLICK = re.compile(r"<(https?://[^>]+)>")
_UNSEEN = re.compile(r'<a\b[^>]*?href="([^"]+)"[^>]*aria-hidden', re.IGNORECASE)
_TO_THE_SHOP = "/c/"
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Mail:
    """One message in the sandbox, under the id that we gave it.

    `offers` are the links around a picture, as product cards have them, or, without any, those that lead to the shop.
    """

    seq: int
    kind: str
    to: str
    message_id: str
    links: tuple[str, ...]
    offers: tuple[str, ...]
    pixel: str | None
    unsubscribe: str | None


class Mailbox:
    """Reads what has newly arrived in the sandbox, oldest first."""

    def __init__(self, sandbox_url: str) -> None:
        self._url = sandbox_url.rstrip("/")
        self._seq = 0

    def fetch(self) -> Iterator[Mail]:
        while True:
            page = _get(f"{self._url}/sandbox/messages?after={self._seq}&limit={_PAGE}")["messages"]
            for message in page:
                self._seq = message["seq"]
                yield _read(message)
            if len(page) < _PAGE:
                return

    def events_are_out(self) -> bool:
        """Has the sandbox told everything that it had to tell?"""
        events = _get(f"{self._url}/sandbox/stats?recipients=no")["events"]
        return not events["pending"] and not events["held"]


def _read(message: dict[str, Any]) -> Mail:
    html = message.get("html") or ""
    anchors = [(unescape(url), inner) for url, inner in _ANCHOR.findall(html)]
    unseen = {unescape(url) for url in _UNSEEN.findall(html)}
    links = [url for url, _inner in anchors] or _TEXT_LINK.findall(message.get("text") or "")
    headers = {header["name"].lower(): header["value"] for header in message.get("headers") or ()}
    one_click = _ONE_CLICK.search(headers.get("list-unsubscribe", ""))
    pictures = [url for url, inner in anchors if "<img" in inner]
    pixel = _PIXEL.search(html)
    return Mail(
        seq=message["seq"],
        kind=message["kind"],
        to=message["to"][0],
        message_id=message["tags"].get("mid", message["message_id"]),
        links=tuple(dict.fromkeys(url for url in links if url.startswith("http"))),
        offers=tuple(dict.fromkeys(pictures or [url for url in links if _TO_THE_SHOP in url and url not in unseen])),
        pixel=unescape(pixel[1]) if pixel else None,
        unsubscribe=one_click[1] if one_click else None,
    )


def _get(url: str) -> Any:
    with urlopen(url, timeout=30) as answer:
        return json.load(answer)
