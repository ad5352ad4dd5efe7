"""The policy's word over many messages: which may go, and how the others end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from delivery.envelope import MessageRow, NotSent
from delivery.facts import Gathered
from delivery.holds import noted
from delivery.ledger import Ending
from delivery.policy import Drop, Hold, Reason, decide
from delivery.tables import MessageStatus


def judge(
    rows: Sequence[MessageRow], gathered: Mapping[str, Gathered], now: datetime
) -> tuple[list[Ending], list[MessageRow]]:
    """The endings of those that may not go now, and the rows that may."""
    endings, open_rows = [], []
    for row in rows:
        decision = decide(gathered[row.id].facts, now)
        if isinstance(decision, Hold):
            endings.append(hold(row, decision))
        elif isinstance(decision, Drop):
            endings.append(_drop(row, decision))
        else:
            open_rows.append(row)
    return endings, open_rows


def hold(row: MessageRow, decision: Hold) -> Ending:
    """Held; when it may go, a step that has a condition is asked for it once more."""
    return Ending(
        row.id,
        MessageStatus.DUE,
        decision.reason,
        decision.detail,
        until=decision.until,
        asks_again=bool(row.policy.get("asks_again")),
        holds=noted(row.holds, decision),
    )


def _drop(row: MessageRow, decision: Drop) -> Ending:
    cap = decision.refusal
    if cap is None:
        return Ending(row.id, MessageStatus.SKIPPED, decision.reason)
    told = {"then": cap.then.value, "taken_by": cap.taken_by}
    properties = {name: value for name, value in told.items() if value}
    return Ending(row.id, MessageStatus.SKIPPED, decision.reason, cap.detail, properties=properties)


def ending_of(item: NotSent) -> Ending:
    """How a message ends that could not be composed."""
    failed = item.reason == Reason.RENDER_ERROR
    status = MessageStatus.FAILED if failed else MessageStatus.SKIPPED
    return Ending(item.message_id, status, Reason(item.reason), item.detail)


def count_endings(endings: Sequence[Ending]) -> Counter[str]:
    """How many ended for which reason; those that wait are `held`."""
    return Counter(str(ending.reason if ending.until is None else "held") for ending in endings)
