"""A story as lines, oldest first, and how its runs stand at this moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from customers.workspace import Workspace
from delivery.tables import MessageStatus
from journeys.explaining.clock import capitalised, told
from journeys.explaining.lines import adds_nothing, sentence
from journeys.explaining.messages import waiting
from journeys.explaining.story import Passage, Story, read_story
from journeys.tables import EnrolmentStatus
from journeys.transition import JournalKind
from journeys.wording.steps import awaited, name_of, step_in_words

_OPEN = (MessageStatus.DUE, MessageStatus.CLAIMED, MessageStatus.SENDING)
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `run` is the number of the run, 0 at the door; `is_detail` when another says as much."""

    at: datetime
    run: int
    kind: str
    text: str
    step: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    is_detail: bool = False


def explain(
    connection: Connection, workspace: Workspace, profile_id: int, journey: str
) -> tuple[Story, Sequence[Line]]:
    """What `journey` did with a profile, and each thing that happened; instants are UTC, texts tell the person's clock.

    Raises NotFoundError when no journey of that name was ever published.
    """
    story = read_story(connection, workspace, profile_id, journey)
    return story, tell(story)


def tell(story: Story) -> Sequence[Line]:
    """Oldest first; what happened at one instant in the order in which it did."""
    lines = [Line(row.at, 0, REFUSED, capitalised(said), data={"reason": row.reason}) for row, said in story.refusals]
    lines += [line for passage in story.passages for line in _entries(story, passage)]
    return sorted(lines, key=lambda line: line.at)


def _entries(story: Story, passage: Passage) -> Sequence[Line]:
    return [
        Line(
            at=entry.at,
            run=passage.number,
            kind=entry.kind,
            text=sentence(then, entry, story.zone),
            step=entry.data.get("step"),
            data=entry.data,
            is_detail=adds_nothing(then, entry),
        )
        for then, entry in passage.chapters()
    ]


def stands(story: Story, passage: Passage) -> str:
    """Where a run stands now, in a sentence without a full stop; "" when it is over."""
    row = passage.row
    if row.status == EnrolmentStatus.ENDED:
        return ""
    if row.status == EnrolmentStatus.HOLDOUT:
        return "Now: held out; the goal is counted until its time is over"
    step = passage.data_of(row.step or "")
    name = name_of(row.step or "", step)
    for sent in passage.messages.values():
        if sent.step == row.step and sent.status in _OPEN:
            return f"Now: at {name}; {waiting(sent, story.zone)}"
    if passage.due_at is not None and passage.entries[-1].kind == JournalKind.ERROR:
        return f"Now: at {name}, which failed and is tried again on {told(passage.due_at, story.zone)}"
    if passage.due_at is not None:
        what = f"{awaited(step)}, " if "wait_for" in step else ""
        return f"Now: at {name}; waits {what}until {told(passage.due_at, story.zone)}"
    return f"Now: at {name}" + (f" ({step_in_words(step)})" if step else "")
