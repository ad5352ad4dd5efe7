"""What held a message is kept when it goes out, so that somebody can say later why it was late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from delivery.holds import PastHold, by_in_words, iter_holds, noted
from delivery.policy import Cap, Hold, Reason

NOW = datetime(2026, 6, 1, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_holds_for_the_same_reason_are_one_and_others_stand_in_their_order() -> None:
    notes = noted(None, Hold(NOW + HOUR, Reason.QUIET_HOURS, "Europe/Berlin"))
    notes = noted(notes, Hold(NOW + 2 * HOUR, Reason.QUIET_HOURS, "America/New_York"))
    notes = noted(notes, Hold(NOW + 3 * HOUR, Reason.CAP))
    assert list(iter_holds(notes)) == [
        PastHold("quiet_hours", NOW + 2 * HOUR, "America/New_York"),
        PastHold("cap", NOW + 3 * HOUR),
    ]
    assert [by_in_words(one.by) for one in iter_holds(notes)] == ["quiet hours", "a limit"]
    assert list(iter_holds(None)) == []


def test_the_oldest_are_forgotten_when_a_message_is_held_without_end() -> None:
    notes = None
    for number in range(100):
        notes = noted(notes, Hold(NOW + number * HOUR, Reason.CAP if number % 2 else Reason.QUIET_HOURS))
    assert notes is not None
    assert len(notes) == 12
    assert [one.until for one in iter_holds(notes)][-1] == NOW + 99 * HOUR


def test_a_limit_is_told_as_it_is_written() -> None:
    for per, words in ((timedelta(days=7), "7d"), (timedelta(hours=36), "1d12h"), (timedelta(seconds=5), "5s")):
        assert Cap(3, per).detail == f"3 in {words}"
    assert Cap(1, None, taken_by="journey:x/a").detail == "1 in the journey, the last by journey:x/a"
