"""`email`, `sms`, `voice` and `letter`: write one message into the send ledger, and stand here until it has ended.

The step is over when delivery says sent, skipped, failed or unknown, so the next wait counts from the real send. The
message's row holds everything that composing and the send policy need; no journey is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from campaigns.message_context import TEMPLATE_VERSION
from campaigns.message_policy import policy_document
from core.durations import Duration
from core.ids import derived_id
from delivery.policy import Then
from journeys.questions import Event
from journeys.steps.contract import Decision, Done, End, Fail, NameKind, Outcome, Stay, Step, StepSpec, Verb
from journeys.steps.message_options import OnSkip, Options, carried, parse_options
from journeys.steps.message_test import MessageTest, Variant, choose_arm, parse_test, with_arm
from journeys.steps.moment import find_moment
from journeys.steps.run import Run, World, as_pinned
from journeys.steps.values import fill
from journeys.transition import EndReason, EnqueueMessage, JournalKind

# What delivery reports when a message has come to its end.
ENDINGS = ("message_sent", "message_skipped", "message_failed", "message_unknown")
_TEMPLATE_KINDS = {
    "email": NameKind.TEMPLATE_EMAIL,
    "sms": NameKind.TEMPLATE_SMS,
    "voice": NameKind.TEMPLATE_VOICE,
    "letter": NameKind.TEMPLATE_LETTER,
}


@dataclass(frozen=True, slots=True)
class Message:
    channel: str
    template: str
    options: Options
    test: MessageTest | None = None


@dataclass(frozen=True, slots=True)
class _Stated:
    """A message as everybody gets it, before anything of one person is filled in."""

    template: str
    version: int | None
    topic: str
    kind: str
    sender: str | None
    send_at: time | str | None
    expires_after: Duration | None
    policy: Mapping[str, Any]
    outside: Mapping[str, Any]
    values: Mapping[str, Any]


def message_verb(channel: str) -> Verb:
    """The verb that sends over `channel`; it is called like the channel."""

    def parse(spec: StepSpec) -> Message:
        def template(written: str, *path: str | int) -> str:
            name, version = as_pinned(written)
            spec.mention(_TEMPLATE_KINDS[channel], name, *path, version=version)
            return written

        content = spec.data[channel]
        options = parse_options(spec, channel)
        if isinstance(content, str):
            return Message(channel, template(content, channel), options)
        return Message(channel, "", options, parse_test(spec, channel, template))

    return Verb(channel, parse, advance, can_go_on=lambda _step: True)


def advance(step: Step, run: Run) -> Decision:
    action: Message = step.action
    if run.memo is not None:
        return with_arm(await_ending(step, run, action.options.on_skip), run.memo.get("arm"))
    message_id = message_id_of(step, run, action.channel)
    arm = choose_arm(step, run, action.test) if action.test is not None else None
    enqueued = _enqueued(step, run, message_id, arm)
    if enqueued is None:
        run.messages[step.id] = message_id
        return Fail(_lack(step, run, arm), is_final=True)
    return with_arm(queue(step, run, enqueued), arm)


def queue(step: Step, run: Run, message: EnqueueMessage) -> Decision:
    """Put `message` into the ledger and stand here until it has ended."""
    run.messages[step.id] = message.id
    run.effects.append(message)
    run.note(JournalKind.QUEUED, step=step.id, message=message.id, due=message.due_at.isoformat())
    return Stay({"message": message.id})


def await_ending(step: Step, run: Run, on_skip: OnSkip | None = None) -> Decision:
    """Stand on, or go the way that the ending of the step's message says."""
    assert run.memo is not None
    ending = _find_ending(run, str(run.memo["message"]))
    return Stay(run.memo) if ending is None else _after(step, run, ending, on_skip)


def message_id_of(step: Step, run: Run, channel: str) -> str:
    """One id a step run; trying again after a failure is another message."""
    again = (run.failures,) if run.failures else ()
    return derived_id(run.step_run_id(step), channel, *again)


def _enqueued(step: Step, run: Run, message_id: str, arm: str | None) -> EnqueueMessage | None:
    stated = _stated(step, run, arm)
    if stated is None:
        return None
    channel = step.action.channel
    due_at, expires_at = find_moment(step, run, stated.send_at, stated.expires_after, stated.policy, channel)
    return EnqueueMessage(
        id=message_id,
        channel=channel,
        template=stated.template,
        variant=arm,
        topic=stated.topic,
        kind=stated.kind,
        sender=stated.sender,
        step=step.id,
        due_at=due_at,
        expires_at=expires_at,
        context={
            "entry": dict(run.enrolment.entry),
            "steps": dict(run.results),
            "vars": fill(stated.values, run.sources),
            **({"outside": stated.outside} if stated.outside else {}),
            **({TEMPLATE_VERSION: stated.version} if stated.version else {}),
        },
        policy=stated.policy,
    )


def _stated(step: Step, run: Run, arm: str | None) -> _Stated | None:
    """What file, workspace and template say of the message of one arm: reckoned once, and the same for everybody."""
    kept, place = run.journey.kept, ("message", step.id, arm)
    known: tuple[World, _Stated | None] | None = kept.get(place)
    if known is None or known[0] is not run.world:
        known = kept[place] = (run.world, _read_stated(step, run, arm))
    return known[1]


def _read_stated(step: Step, run: Run, arm: str | None) -> _Stated | None:
    action: Message = step.action
    variant = _variant(action, arm)
    template, version = as_pinned(variant.template)
    source = run.world.find_template(variant.template)
    if version is not None and source is None:
        return None
    sources = [action.options, run.journey.defaults, source]

    def chosen(name: str) -> Any:
        """What the step says, else the journey, else the template."""
        return next((value for one in sources if (value := getattr(one, name, None)) is not None), None)

    topic = chosen("topic")
    if topic is None:
        return None
    policy = policy_document(
        action.channel,
        quiet_hours=run.journey.sending.quiet_hours,
        limits=run.journey.sending.limits,
        windows=run.journey.sending.windows,
        closed=run.journey.sending.closed,
        throttle=run.journey.sending.throttle,
        timezone=run.journey.timezone,
        ignores_quiet_hours=bool(chosen("ignore_quiet_hours")),
        ignores_limits=bool(chosen("ignore_limits")),
        asks_again=step.condition is not None,
    )
    return _Stated(
        template=template,
        version=version,
        topic=topic,
        kind=chosen("kind") or "marketing",
        sender=chosen("sender"),
        send_at=chosen("send_at"),
        expires_after=chosen("expires_after"),
        policy=policy,
        outside=carried(action.channel, action.options, run.journey.defaults),
        values={**run.journey.defaults.values, **action.options.values, **variant.values},
    )


def _variant(action: Message, arm: str | None) -> Variant:
    return action.test.variants[arm] if action.test is not None and arm is not None else Variant(action.template)


def _lack(step: Step, run: Run, arm: str | None) -> str:
    """Why nothing can be said of the message."""
    written = _variant(step.action, arm).template
    template, version = as_pinned(written)
    if version is not None and run.world.find_template(written) is None:
        return f"there is no version {version} of the template {template}"
    return "the message has no topic: give the step, `defaults` or the template a topic"


def _find_ending(run: Run, message_id: str) -> Event | None:
    since = min(run.step_entered_at, run.enrolment.entered_at)
    about = [event for event in run.happened(ENDINGS, since) if event.properties.get("message_id") == message_id]
    return about[0] if about else None


def _after(step: Step, run: Run, ending: Event, on_skip: OnSkip | None) -> Decision:
    reason = ending.properties.get("reason")
    if policy := ending.properties.get("policy"):
        run.use("workspace", policy)
    if ending.name == "message_failed":
        return Fail(reason or "failed", is_final=reason != "render_error")
    if ending.name != "message_skipped":
        return Done(answers=(ending.name.removeprefix("message_"),))
    if taken_by := ending.properties.get("taken_by"):
        run.note(JournalKind.CAPPED, step=step.id, taken_by=taken_by)
    if ending.properties.get("then") == Then.EXIT:
        return End(EndReason.CAP)
    match on_skip or run.journey.defaults.on_skip:
        case OnSkip.EXIT:
            return End(EndReason.SKIPPED)
        case OnSkip.STEPS:
            return Done(Outcome.SKIPPED, (reason or "skipped",), "on_skip")
        case _:
            return Done(Outcome.SKIPPED, (reason or "skipped",))


EMAIL = message_verb("email")
SMS = message_verb("sms")
VOICE = message_verb("voice")
LETTER = message_verb("letter")
