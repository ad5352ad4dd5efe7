"""The pages behind the links of a message: server-rendered, without a script, in the shop's colour.

Pure but for reading their own templates: what stands on them is handed in.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from customers.workspace import Workspace
from tracking.unsubscribe import TopicChoice

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER: Final = Path(__file__).with_name("pages")
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_DEFAULT_COLOUR: Final = "#24483a"
_BY_CHANNEL: Final = {"email": "by e-mail", "sms": "by text message", "voice": "by telephone"}


@dataclass(frozen=True, slots=True)
class Page:
    """HTML and the headers that must go with it."""

    html: str
    headers: Mapping[str, str]


def unsubscribe_page(workspace: Workspace, topic: str, channel: str, preferences: str) -> Page:
    """Asks whether to go; nothing has happened yet. `preferences` is the address of the preference page."""
    name = _topic_name(workspace, topic)
    return _page(
        "unsubscribe", workspace, "Unsubscribe?", topic=name, by_channel=by_channel(channel), preferences=preferences
    )


def unsubscribed_page(workspace: Workspace, topic: str | None, channel: str, preferences: str) -> Page:
    """Says that it is done; `topic` is None for the whole channel."""
    what = _topic_name(workspace, topic) if topic else "marketing messages"
    return _page(
        "unsubscribed",
        workspace,
        "You are unsubscribed",
        what=what,
        by_channel=by_channel(channel),
        preferences=preferences,
    )


def preference_page(
    workspace: Workspace,
    choices: Sequence[TopicChoice],
    channel: str,
    *,
    leaves_opens: bool | None = None,
    is_saved: bool = False,
) -> Page:
    """`leaves_opens`: whether opens are not measured; None where there is nothing to measure."""
    return _page(
        "preferences",
        workspace,
        "What you hear about",
        choices=choices,
        leaves_opens=leaves_opens,
        by_channel=by_channel(channel),
        is_saved=is_saved,
    )


def handover_page(workspace: Workspace) -> Page:
    """Hands somebody the copy of their data at the press of a button."""
    return _page("handover", workspace, "Your data")


def notice_page(workspace: Workspace, title: str, text: str) -> Page:
    """One sentence, such as that a link is not valid."""
    return _page("notice", workspace, title, text=text)


def by_channel(channel: str) -> str:
    return _BY_CHANNEL.get(channel, f"by {channel}")


def text_colour_on(background: str) -> str:
    """Black or white, whichever stands out more: at least 4.58 to 1 on any colour (WCAG 2.2, contrast ratio)."""
    channels = [int(background[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def _topic_name(workspace: Workspace, topic: str) -> str:
    known = workspace.topics.get(topic)
    return known.name if known else topic


def _page(template: str, workspace: Workspace, title: str, **values: Any) -> Page:
    colour = workspace.brand.get("color", "")
    style = _style(colour if _COLOUR.fullmatch(colour) else _DEFAULT_COLOUR)
    html = (
        _environment()
        .get_template(f"{template}.html.jinja")
        .render(
            title=title,
            brand=workspace.brand,
            postal_address=workspace.postal_address,
            style=Markup(style),
            **values,
        )
    )
    return Page(html, _headers(style))


@cache
def _style(colour: str) -> str:
    css = (_FOLDER / "style.css").read_text(encoding="utf-8")
    return css.replace("ON_BRAND", text_colour_on(colour)).replace("BRAND", colour)


@cache
def _headers(style: str) -> Mapping[str, str]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src https:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store, private",
        "Referrer-Policy": "no-referrer",
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
