"""Sending exactly the unsent again: what provably never went out, once, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from core.errors import ConflictError, InputError, NotFoundError
from core.runtime import Runtime
from customers.consent import ConsentStatus
from delivery.message_account import get_account, list_messages
from delivery.pauses import pause
from delivery.policy import Reason
from delivery.reason_words import REASONS, STATUSES, why
from delivery.resend import (
    MAY_HAVE_PASSED,
    ONLY_BY_NAME,
    Origin,
    count_unsent,
    find_origin,
    read_reasons,
    resend_unsent,
)
from delivery.tables import MessageKind, MessageStatus, OriginKind, delivery_attempt, message
from tests.delivery.ledger_shop import NOW, ScriptedTransport, add_person, attempts_of, deliver, queue, row_of

SUMMER = Origin(OriginKind.CAMPAIGN, "summer")


def leave(runtime: Runtime, name: str, status: str, reason: str | None, *outcomes: str | None, **changes: Any) -> None:
    """A message of Alice's that has ended like this, after calls with these outcomes."""
    with runtime.database.read() as connection:
        found = list_messages(connection, limit=1)
    alice = found[0].profile_id if found else add_person(runtime, "alice")
    own = {key: changes.pop(key) for key in ("kind", "origin_kind", "origin") if key in changes}
    queue(runtime, alice, name, **own)
    with runtime.database.transaction() as connection:
        values = {"status": status, "reason": reason, "ended_at": NOW, "attempt_count": len(outcomes), **changes}
        connection.execute(update(message).where(message.c.id == name).values(values))
        for number, outcome in enumerate(outcomes, start=1):
            row = {"message_id": name, "attempt_no": number, "started_at": NOW, "outcome": outcome}
            connection.execute(insert(delivery_attempt), [row])


def resend(runtime: Runtime, origin: Origin = SUMMER, *reasons: str) -> int:
    with runtime.database.transaction() as connection:
        return resend_unsent(connection, origin, read_reasons(reasons), NOW)


def test_same_message_with_its_attempts_when_a_rejected_one_is_sent_again(runtime: Runtime) -> None:
    leave(runtime, "m1", "failed", "rejected", "retry", "failed")
    assert resend(runtime) == 1
    assert dict(deliver(runtime, ScriptedTransport()).counts) == {"sent": 1}
    assert attempts_of(runtime) == ["retry", "failed", "accepted"]
    assert resend(runtime) == 0


@pytest.mark.parametrize(
    ("status", "reason", "outcomes", "changes"),
    [
        ("sent", None, ("accepted",), {}),
        ("unknown", None, ("unknown",), {}),
        ("failed", "rejected", ("unknown", "failed"), {"kind": MessageKind.TRANSACTIONAL}),
        ("failed", "rejected", (None,), {}),
        ("failed", None, ("accepted",), {"provider_id": "p1"}),  # SES took it and then refused to pass it on
        ("failed", "render_error", (), {"expires_at": NOW}),
        ("skipped", "expired", (), {}),
        ("skipped", "erased", (), {}),
        ("skipped", "holdout", (), {}),
        ("skipped", "consent", (), {}),
        ("cancelled", "exit", (), {}),
        ("failed", "rejected", ("failed",), {"origin_kind": OriginKind.TEST}),
        ("failed", "render_error", (), {"origin_kind": OriginKind.API}),  # its data are not kept any more
    ],
)
def test_left_alone_when_it_may_have_gone_out_or_its_reason_stays(
    runtime: Runtime, status: str, reason: str | None, outcomes: tuple[str | None, ...], changes: dict[str, Any]
) -> None:
    kind = changes.get("origin_kind", OriginKind.CAMPAIGN)
    leave(runtime, "m1", status, reason, *outcomes, **changes)
    assert resend(runtime, Origin(kind, "summer")) == 0
    assert row_of(runtime).status == status


def test_only_the_named_reasons_when_some_are_named(runtime: Runtime) -> None:
    leave(runtime, "broken", "failed", "render_error")
    leave(runtime, "capped", "skipped", "cap")
    assert resend(runtime, SUMMER, "render_error") == 1
    assert row_of(runtime, "capped").status == MessageStatus.SKIPPED
    with pytest.raises(InputError, match="write one of"):
        read_reasons(["erased"])


def test_consent_is_asked_again_when_somebody_names_it(runtime: Runtime) -> None:
    bob = add_person(runtime, "bob", consent=ConsentStatus.WITHDRAWN)
    queue(runtime, bob)
    deliver(runtime, ScriptedTransport())
    assert row_of(runtime).reason == Reason.CONSENT
    assert resend(runtime) == 0
    assert resend(runtime, SUMMER, "consent") == 1
    transport = ScriptedTransport()
    deliver(runtime, transport)
    assert (transport.sent, row_of(runtime).reason) == ([], Reason.CONSENT)


def test_counts_say_what_goes_and_what_stays_before_anything_is_done(runtime: Runtime) -> None:
    for name, reason in (("a", "cap"), ("b", "cap"), ("c", "expired"), ("d", "render_error")):
        leave(runtime, name, "skipped", reason)
    with runtime.database.read() as connection:
        again, left = count_unsent(connection, SUMMER, MAY_HAVE_PASSED, NOW)
    assert (dict(again), dict(left)) == ({"cap": 2, "render_error": 1}, {"expired": 1})
    assert resend(runtime) == again.total()


def test_every_unsent_one_goes_when_there_are_more_than_a_batch(runtime: Runtime, monkeypatch: Any) -> None:
    monkeypatch.setattr("delivery.resend._BATCH", 3)
    for place in range(10):
        leave(runtime, f"m{place}", "failed", "render_error")
    assert resend(runtime) == 10


def test_origin_is_found_by_launch_name_or_kind_and_name(runtime: Runtime) -> None:
    leave(runtime, "m1", "failed", "render_error")
    with runtime.database.read() as connection:
        assert find_origin(connection, "launch-1") == Origin(origin_id="launch-1")
        assert find_origin(connection, "summer") == SUMMER == find_origin(connection, "campaign:summer")
        for typed in ("winter", "journey:summer", "planet:summer"):
            with pytest.raises(NotFoundError):
                find_origin(connection, typed)
    leave(runtime, "m2", "failed", "render_error", origin_kind=OriginKind.JOURNEY)
    with runtime.database.read() as connection, pytest.raises(ConflictError, match="campaign:summer or journey:summer"):
        find_origin(connection, "summer")


def test_every_reason_and_status_has_words(runtime: Runtime) -> None:
    assert REASONS.keys() == set(Reason)
    assert STATUSES.keys() == set(MessageStatus)
    assert not MAY_HAVE_PASSED & ONLY_BY_NAME
    assert why("skipped", "cap").endswith("was reached")


def test_account_says_what_it_waits_for(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"), due_at=NOW + timedelta(hours=1))
    with runtime.database.transaction() as connection:
        assert "until 2026-06-10 09:00 UTC" in get_account(connection, "m1", NOW).why
        pause(connection, "channel:email", "the provider answered SendingPaused", NOW)
        account = get_account(connection, "m1", NOW)
        assert account.why == "it waits, because channel:email is paused: the provider answered SendingPaused"
        with pytest.raises(NotFoundError):
            get_account(connection, "nothing", NOW)
