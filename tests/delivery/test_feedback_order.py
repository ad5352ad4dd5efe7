"""A message ends alike in whatever order its reports arrive, and however often."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.runtime import Runtime
from delivery.status import Report, ReportKind, combine, next_status
from delivery.tables import MessageKind, MessageStatus
from tests.delivery.ledger_shop import MINUTE, NOW, row_of
from tests.delivery.test_feedback import sent_message, ses_event, take, unknown_message

reports = st.lists(
    st.builds(
        Report,
        st.sampled_from(ReportKind),
        st.integers(0, 500).map(lambda minutes: NOW + minutes * MINUTE),
        st.sampled_from(["first", "second"]),
    ),
    max_size=6,
)


@settings(max_examples=300)
@given(reports, st.randoms(), st.sampled_from(MessageStatus), st.sampled_from([None, "second"]))
def test_a_message_ends_alike_when_its_reports_are_permuted_and_doubled(
    given_reports: list[Report], chance: Any, status: MessageStatus, accepted_id: str | None
) -> None:
    """Report by report, as they are taken in; the law is that of the whole set."""
    shuffled = given_reports + given_reports[:3]
    chance.shuffle(shuffled)
    state = status
    for count in range(1, len(shuffled) + 1):
        state = next_status(state, combine(shuffled[:count], accepted_id))
    expected = next_status(status, combine(given_reports, accepted_id)) if given_reports else status
    assert state is expected


STORY = (
    ses_event("Send", timestamp="2026-06-10T08:01:00Z"),
    ses_event("Delivery", timestamp="2026-06-10T08:02:00Z"),
    ses_event("Bounce", bounceType="Transient", timestamp="2026-06-10T08:03:00Z"),
    ses_event("Click", timestamp="2026-06-10T08:04:00Z"),
)
_COLUMNS = ("status", "reason", "sent_at", "delivered_at", "bounced_at", "complained_at")


@pytest.mark.parametrize("order", [list(permutations(range(4)))[place] for place in (0, 7, 14, 23)])
@pytest.mark.parametrize("copies", [1, 2])
def test_the_row_is_the_same_when_an_unknown_message_is_reported_in_any_order(
    runtime: Runtime, order: tuple[int, ...], copies: int
) -> None:
    unknown_message(runtime)
    for copy, place in product(range(copies), order):
        take(runtime, STORY[place], f"sns:{copy}:{place}")
    row = row_of(runtime)
    assert [getattr(row, name) for name in _COLUMNS] == [
        *(MessageStatus.SENT, None, NOW + MINUTE, NOW + 2 * MINUTE, None, None)
    ]


@pytest.mark.parametrize("order", list(permutations(["Send", "Reject"])))
def test_a_refused_message_has_failed_when_it_waits_for_its_second_call(
    runtime: Runtime, order: tuple[str, ...]
) -> None:
    unknown_message(runtime, kind=MessageKind.TRANSACTIONAL, topic="orders")
    for word in order:
        take(runtime, ses_event(word), f"sns:{word}")
    assert (row_of(runtime).status, row_of(runtime).reason) == (MessageStatus.FAILED, "rejected")


@pytest.mark.parametrize("order", list(permutations([("Reject", "first"), ("Delivery", "provider-m1")])))
def test_a_message_is_sent_when_only_another_call_of_it_was_refused(
    runtime: Runtime, order: tuple[tuple[str, str], ...]
) -> None:
    sent_message(runtime)
    for word, provider_id in order:
        take(runtime, ses_event(word, provider_id=provider_id), f"sns:{word}")
    assert row_of(runtime).status == MessageStatus.SENT
