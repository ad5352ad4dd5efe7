"""A customer and a page of the timeline as plain data: what the API and `--json` answer. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from console.timeline.read import TimelinePage
from console.timeline.summary import Summary
from console.timeline.wording import word
from customers.workspace import Workspace


def profile_document(summary: Summary) -> dict[str, Any]:
    """Instants become ISO 8601 text when it is written as JSON; money stays in minor units."""
    return {"name": summary.name, **asdict(summary)}


def timeline_document(page: TimelinePage, workspace: Workspace) -> dict[str, Any]:
    """Entries with their words; `next` goes into `after` of the next request and is null at the end."""
    entries = []
    for entry in page.entries:
        line = word(entry, page.names, workspace)
        entries.append(
            {
                "at": entry.at,
                "group": entry.group,
                "name": entry.name,
                "title": line.title,
                "remark": line.remark,
                "detail": dict(entry.detail),
            }
        )
    return {"entries": entries, "next": str(page.next) if page.next else None}
