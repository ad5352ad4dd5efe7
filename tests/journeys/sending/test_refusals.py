"""What stands between a message and a person, seen from the journey: consent, bounces, broken templates, providers."""

from __future__ import annotations

from customers.consent import ConsentStatus
from delivery.envelope import Envelope
from delivery.providers.transport import Reaction, TransportError
from tests.journeys.sending.words import HEAD, endings
from tests.journeys.town import Town


def test_the_steps_after_a_mail_still_run_when_its_topic_was_unsubscribed_meanwhile(town: Town) -> None:
    """Scenario 57."""
    town.person("bob")
    town.journey(
        "journey: mail\n"
        + HEAD
        + "steps: [{id: w, wait: 1d}, {id: hello, email: hello}, {id: call, task: {title: Call}}, {id: r, wait: 9d}]\n"
    )
    town.log("signed_up", "bob")
    town.run_until("2026-06-01T10:00")
    town.consent("bob", "email.marketing", ConsentStatus.WITHDRAWN)
    town.run_until("2026-06-03T10:00")
    assert endings(town, "bob") == [("skipped", "consent")]
    assert [one.kind for one in town.entries("bob") if one.kind == "step"].count("step") >= 3
    assert town.enrolments()[0].step == "r"


def test_a_run_ends_at_the_instant_of_the_withdrawal_when_it_is_an_exit(town: Town) -> None:
    """Scenario 57."""
    town.person("bob")
    town.journey(
        "journey: mail\n"
        + HEAD
        + "exit: [{consent: email.marketing, is: denied}]\nsteps: [{id: w, wait: 1d}, {id: hello, email: hello}]\n"
    )
    town.log("signed_up", "bob")

    def leave() -> None:
        """As the page of the unsubscribe link does it."""
        town.consent("bob", "email.marketing", ConsentStatus.WITHDRAWN)
        town.log("consent_withdrawn", "bob", channel="email", topic="marketing")

    town.plan("2026-06-01T10:00", leave)
    town.run_until("2026-06-03T10:00")
    assert town.runs("bob") == [("ended", "exit")]
    assert f"{town.enrolments('bob')[0].ended_at:%d %H:%M}" == "01 10:00"


def test_text_messages_go_on_when_the_mail_address_bounced_for_good(town: Town) -> None:
    """Scenario 58."""
    town.person("carol", phone="+4915112345678")
    town.journey(
        "journey: mail\n" + HEAD + "steps: [{id: a, email: a}, {id: w, wait: 1h}, {id: b, email: b}, {id: c, sms: c}]\n"
    )
    town.log("signed_up", "carol")
    town.run_until("2026-06-01T08:30")
    town.suppress("carol")
    town.run_until("2026-06-01T12:00")
    assert [(one.step, one.channel) for one in town.sent] == [("a", "email"), ("c", "sms")]
    assert ("skipped", "suppressed") in endings(town, "carol")


def test_one_person_takes_the_branch_of_errors_when_the_template_fails_for_them(town: Town) -> None:
    """Scenario 59."""
    town.person("alice")
    carol = town.person("carol")
    town.broken = lambda row: "render_error" if row.profile_id == carol and row.step == "hello" else None
    town.journey(
        "journey: mail\n"
        + HEAD
        + "steps: [{id: hello, email: hello, on_error: [{id: plain, email: plain}]}, {id: rest, wait: 9d}]\n"
    )
    town.log("signed_up", "alice")
    town.log("signed_up", "carol")
    town.run_until("2026-06-01T12:00")
    assert town.sends("alice") == [("2026-06-01T08:00", "hello")]
    assert town.sends("carol") == [("2026-06-01T08:36", "plain")]  # after one, five and thirty minutes
    assert town.kinds("carol").count("error") == 4
    assert "blank" not in {one.step for one in town.sent}


def test_a_message_fails_at_once_when_the_provider_refuses_it_for_good(town: Town) -> None:
    """Scenario 60."""

    def refuse(_envelope: Envelope) -> None:
        raise TransportError(Reaction.REJECT, "MessageRejected")

    town.person("alice")
    town.recorders["email"].answer = refuse
    town.journey("journey: mail\n" + HEAD + "steps: [{id: hello, email: hello}, {id: rest, wait: 9d}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    assert endings(town) == [("failed", "rejected")]
    assert town.enrolments()[0].step == "rest"
    assert town.kinds("alice").count("error") == 1


def test_a_throttled_message_is_tried_again_until_it_lapses_when_the_provider_asks_for_less(town: Town) -> None:
    """Scenario 60: after 1, 5 and 30 minutes, then every 30; it ends at the very moment at which it lapses."""
    tried: list[str] = []

    def too_fast(_envelope: Envelope) -> None:
        tried.append(f"{town.clock.now():%H:%M}")
        raise TransportError(Reaction.SLOW_DOWN, "TooManyRequestsException")

    town.person("alice")
    town.recorders["email"].answer = too_fast
    town.journey(
        "journey: mail\n" + HEAD + "steps: [{id: hello, email: hello, expires_after: 75m}, {id: rest, wait: 9d}]\n"
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    assert tried == ["08:00", "08:01", "08:06", "08:36", "09:06"]
    assert endings(town) == [("skipped", "expired")]
    assert town.due("alice") == "2026-06-10T09:15"


def test_a_throttled_message_goes_on_when_the_provider_takes_it_at_the_third_retry(town: Town) -> None:
    """Scenario 60."""

    def too_fast(_envelope: Envelope) -> None:
        if town.clock.now() < town.clock.now().replace(hour=8, minute=36):
            raise TransportError(Reaction.SLOW_DOWN, "TooManyRequestsException")

    town.person("alice")
    town.recorders["email"].answer = too_fast
    town.journey("journey: mail\n" + HEAD + "steps: [{id: hello, email: hello}, {id: rest, wait: 9d}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    assert [row.attempt_count for row in town.messages("alice")] == [4]
    assert town.due("alice") == "2026-06-10T08:36"
