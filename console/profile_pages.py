"""The customer page as HTML: server-rendered, without a script, for whoever answers the telephone. Pure.

It is shown to people who hold a read key, so that everything on it stands in clear; nothing of it may be cached.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from campaigns.reporting.wording import money, number
from console.timeline.entries import Group
from console.timeline.read import TimelinePage
from console.timeline.summary import Summary
from console.timeline.wording import Line, word
from customers.tables import ProfileStatus
from customers.workspace import Workspace

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).with_name("pages")
_KINDS = {"email": "E-mail", "phone": "Telephone", "external_id": "Customer number", "visitor": "Visitor"}
_CHANNELS = {"email": "E-mail", "sms": "Text message"}


@dataclass(frozen=True, slots=True)
class _Shown:
    """One line of the timeline at its local time."""

    at: datetime
    title: str
    remark: str
    tone: str


def profile_page(
    workspace: Workspace, summary: Summary, page: TimelinePage, *, group: Group | None = None, is_later: bool = False
) -> str:
    """The page of one customer; `is_later` when it does not begin with the newest entry."""
    zone = ZoneInfo(workspace.timezone)
    return _render(
        "profile",
        workspace,
        summary.name,
        summary=summary,
        banner=banner(summary),
        attributes=_attributes(summary),
        days=_days(page, workspace, zone),
        next=page.next,
        group=group,
        groups=list(Group),
        is_later=is_later,
        kinds=_KINDS,
        channels=_CHANNELS,
    )


def notice_page(workspace: Workspace, title: str, text: str) -> str:
    """One sentence, and the field to look somebody up."""
    return _render("notice", workspace, title, text=text)


def banner(summary: Summary) -> str:
    """What must be known before anything is done for this customer."""
    if summary.status is ProfileStatus.RESTRICTED:
        return "Restricted: this data may be kept, and used for nothing until the restriction is lifted."
    if summary.objected_at is not None:
        return f"Objected to marketing on {summary.objected_at:%-d %B %Y}: no offers, please."
    return ""


def headers() -> Mapping[str, str]:
    """What goes with every page."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store, private",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Content-Type-Options": "nosniff",
    }


def _attributes(summary: Summary) -> dict[str, Any]:
    places = {"country": summary.country, "time zone": summary.timezone, "language": summary.locale}
    return {**summary.attributes, **{name: value for name, value in places.items() if value}}


def _plainly(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _days(page: TimelinePage, workspace: Workspace, zone: ZoneInfo) -> list[tuple[date, list[_Shown]]]:
    def shown() -> Iterator[_Shown]:
        for entry in page.entries:
            line: Line = word(entry, page.names, workspace)
            yield _Shown(entry.at.astimezone(zone), line.title, line.remark, line.tone)

    return [(day, list(lines)) for day, lines in groupby(shown(), key=lambda line: line.at.date())]


def _render(template: str, workspace: Workspace, title: str, **values: Any) -> str:
    zone = ZoneInfo(workspace.timezone)
    environment = _environment(zone.key)
    return environment.get_template(f"{template}.html.jinja").render(
        title=title, workspace=workspace, style=Markup(_style()), **values
    )


@cache
def _style() -> str:
    return (_FOLDER / "console.css").read_text(encoding="utf-8")


@cache
def _environment(zone_name: str) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    zone = ZoneInfo(zone_name)
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def local(at: date | datetime) -> date | datetime:
        return at.astimezone(zone) if isinstance(at, datetime) else at

    environment.filters |= {
        "number": number,
        "money": money,
        "plainly": _plainly,
        "words": lambda text: str(text).replace("_", " ").capitalize(),
        "day": lambda at: f"{local(at):%-d %B %Y}",
        "short_day": lambda at: f"{local(at):%-d %b %Y}",
        "hour": lambda at: f"{local(at):%H:%M}",
        "moment": lambda at: f"{local(at):%-d %b, %H:%M}",
    }
    return environment
