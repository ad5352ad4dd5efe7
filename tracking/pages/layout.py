"""The frame of every page that people see: server-rendered, without a script, in the shop's colour and their language.

Pure but for reading its own templates: what stands on a page is handed in by the modules beside it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from customers.workspace import Workspace
from tracking.pages.contrast import AA_PART, AA_TEXT, readable_on, text_colour_on
from tracking.pages.language import Texts

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER: Final = Path(__file__).parent
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_DEFAULT_COLOUR: Final = "#24483a"
_PAPER, _DARK_PAPER = "#ffffff", "#1c221f"


@dataclass(frozen=True, slots=True)
class Page:
    """HTML and the headers that must go with it."""

    html: str = field(repr=False)
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Where a page may stand and send people: `origins` may frame it, `leads_to` follows its form."""

    origins: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
    tells_origin: bool = False  # its form says where it was sent from, which a page with a token must not


ALONE: Final = Embedding()


def notice_page(
    workspace: Workspace, texts: Texts, name: str, *, text: str = "text", title: str = "title", **values: Any
) -> Page:
    """A title and a sentence, such as that a link is not valid: the texts `<name>.<title>` and `<name>.<text>`."""
    values = {"brand": workspace.brand["name"], **values}
    return said_page(workspace, texts, texts(f"{name}.{title}"), texts(f"{name}.{text}", **values))


def said_page(workspace: Workspace, texts: Texts, title: str, *said: str, embedding: Embedding = ALONE) -> Page:
    """A title and sentences."""
    return make_page("notice", workspace, texts, title, embedding=embedding, said=said)


def handover_page(workspace: Workspace, texts: Texts) -> Page:
    """Hands somebody the copy of their data at the press of a button."""
    return make_page("handover", workspace, texts, texts("handover.title"))


def erase_page(workspace: Workspace, texts: Texts) -> Page:
    """The last question before somebody is erased."""
    return make_page("erase", workspace, texts, texts("erase.title"))


def topic_names(workspace: Workspace, topics: Iterable[str]) -> list[str]:
    """What people call `topics`."""
    return [known.name if (known := workspace.topics.get(topic)) else topic for topic in topics]


def make_page(
    template: str,
    workspace: Workspace,
    texts: Texts,
    title: str,
    *,
    window_title: str | None = None,
    embedding: Embedding = ALONE,
    **values: Any,
) -> Page:
    """`<template>.html.jinja` with `values`, and `t` for the texts; the headers allow nothing but what stands there."""
    colour = workspace.brand.get("color", "")
    style = _style(colour if _COLOUR.fullmatch(colour) else _DEFAULT_COLOUR)
    brand = workspace.brand["name"]

    def text(key: str, **given: object) -> str:
        return texts(key, **{"brand": brand, **given})

    html = (
        _environment()
        .get_template(f"{template}.html.jinja")
        .render(
            title=title,
            window_title=window_title or title,
            brand=workspace.brand,
            postal_address=workspace.postal_address,
            style=Markup(style),
            t=text,
            language=texts.language,
            is_framed=bool(embedding.origins),
            referrer=_referrer(embedding),
            **values,
        )
    )
    return Page(html, _headers(style, embedding))


def _referrer(embedding: Embedding) -> str:
    # Under no-referrer a browser keeps its Origin to itself as well.
    return "same-origin" if embedding.tells_origin else "no-referrer"


@cache
def _style(colour: str) -> str:
    css = (_FOLDER / "style.css").read_text(encoding="utf-8")
    for name, value in (
        ("ON_BRAND", text_colour_on(colour)),
        ("BRAND", colour),
        ("ACCENT_LIGHT", readable_on(_PAPER, colour, AA_TEXT)),
        ("ACCENT_DARK", readable_on(_DARK_PAPER, colour, AA_PART)),
    ):
        css = css.replace(name, value)
    return css


@cache
def _headers(style: str, embedding: Embedding) -> Mapping[str, str]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    actions = " ".join(("'self'", *embedding.leads_to))
    frames = " ".join(embedding.origins) or "'none'"
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src https: data:; form-action {actions}; "
        f"base-uri 'none'; frame-ancestors {frames}"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store, private",
        "Referrer-Policy": _referrer(embedding),
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
    }


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
