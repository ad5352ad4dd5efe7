"""A message's state is a function of the set of reports, whatever order they arrive in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.status import Report, ReportKind, combine, next_status
from delivery.tables import MessageStatus

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
reports = st.lists(
    st.builds(
        Report, st.sampled_from(ReportKind), st.integers(0, 500).map(lambda minutes: NOON + timedelta(minutes=minutes))
    ),
    max_size=5,
)


@given(reports, st.randoms())
def test_state_is_the_same_when_reports_come_in_another_order_or_twice(
    given_reports: list[Report], chance: object
) -> None:
    expected = combine(given_reports)
    shuffled = given_reports + given_reports[:2]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types its random source as object
    assert combine(shuffled) == expected


@pytest.mark.parametrize("order", list(permutations(["delivered", "bounced", "clicked"])))
def test_bounce_before_delivery_and_click_before_both_end_alike_when_permuted(order: tuple[str, ...]) -> None:
    times = {"delivered": NOON, "clicked": NOON + timedelta(hours=1), "bounced": NOON + timedelta(hours=2)}
    state = combine([Report(ReportKind(word), times[word]) for word in order])
    assert (state.status, state.sent_at, state.delivered_at, state.bounced_at) == (
        MessageStatus.SENT,
        NOON,
        NOON,
        NOON + timedelta(hours=2),
    )


def test_unknown_becomes_sent_when_any_report_proves_acceptance() -> None:
    assert next_status(MessageStatus.UNKNOWN, combine([Report(ReportKind.DELIVERED, NOON)])) is MessageStatus.SENT


def test_sent_becomes_failed_when_the_provider_rejects_it_afterwards() -> None:
    assert next_status(MessageStatus.SENT, combine([Report(ReportKind.REJECTED, NOON)])) is MessageStatus.FAILED


def test_a_skipped_message_stays_skipped_when_a_stray_report_names_it() -> None:
    assert next_status(MessageStatus.SKIPPED, combine([Report(ReportKind.DELIVERED, NOON)])) is MessageStatus.SKIPPED
