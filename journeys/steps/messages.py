"""`email`, `sms`, `voice` and `letter`: write one message into the send ledger, and stand here until it has ended.

The step is over when delivery says sent, skipped, failed or unknown, so the next wait counts from the real send. The
message's row holds everything that composing and the send policy need; no journey is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from campaigns.message_policy import policy_document
from core.durations import add_calendar
from core.ids import derived_id
from journeys.questions import Event
from journeys.steps.contract import Decision, Done, End, Fail, NameKind, Outcome, Stay, Step, StepSpec, Verb
from journeys.steps.message_options import OnSkip, Options, parse_options
from journeys.steps.run import Run
from journeys.steps.values import fill
from journeys.steps.wait_until import WaitUntil, next_local
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


def message_verb(channel: str) -> Verb:
    """The verb that sends over `channel`; it is called like the channel."""

    def parse(spec: StepSpec) -> Message:
        content = spec.data[channel]
        if not isinstance(content, str):
            spec.not_yet(channel, what="a test between templates inside one step")
            content = ""
        else:
            spec.mention(_TEMPLATE_KINDS[channel], content.partition("@")[0], channel)
        if "@" in content:
            spec.not_yet(channel, what="a pinned template version")
        return Message(channel, content, parse_options(spec))

    return Verb(channel, parse, advance, can_go_on=lambda _step: True)


def advance(step: Step, run: Run) -> Decision:
    action: Message = step.action
    if run.memo is not None:
        return await_ending(run, action.options.on_skip)
    message_id = message_id_of(step, run, action.channel)
    enqueued = _enqueued(step, run, message_id)
    if enqueued is None:
        run.messages[step.id] = message_id
        hint = "give the step, `defaults` or the template a topic"
        return Fail(f"the message has no topic: {hint}", is_final=True)
    return queue(step, run, enqueued)


def queue(step: Step, run: Run, message: EnqueueMessage) -> Decision:
    """Put `message` into the ledger and stand here until it has ended."""
    run.messages[step.id] = message.id
    run.effects.append(message)
    run.note(JournalKind.QUEUED, step=step.id, message=message.id, due=message.due_at.isoformat())
    return Stay({"message": message.id})


def await_ending(run: Run, on_skip: OnSkip | None = None) -> Decision:
    """Stand on, or go the way that the ending of the step's message says."""
    assert run.memo is not None
    ending = _find_ending(run, str(run.memo["message"]))
    return Stay(run.memo) if ending is None else _after(run, ending, on_skip)


def message_id_of(step: Step, run: Run, channel: str) -> str:
    """One id a step run; trying again after a failure is another message."""
    again = (run.failures,) if run.failures else ()
    return derived_id(run.step_run_id(step), channel, *again)


def _enqueued(step: Step, run: Run, message_id: str) -> EnqueueMessage | None:
    action: Message = step.action
    sources = [action.options, run.journey.defaults, run.world.templates.get(action.template)]

    def chosen(name: str) -> Any:
        """What the step says, else the journey, else the template."""
        return next((value for one in sources if (value := getattr(one, name, None)) is not None), None)

    topic = chosen("topic")
    if topic is None:
        return None
    send_at, expires_after = chosen("send_at"), chosen("expires_after")
    due_at = next_local(run.now, WaitUntil(send_at), run.zone) if send_at else run.now
    values = {**run.journey.defaults.values, **action.options.values}
    return EnqueueMessage(
        id=message_id,
        channel=action.channel,
        template=action.template,
        topic=topic,
        kind=chosen("kind") or "marketing",
        sender=chosen("sender"),
        step=step.id,
        due_at=due_at,
        expires_at=add_calendar(due_at, expires_after, run.zone) if expires_after else None,
        context={
            "entry": dict(run.enrolment.entry),
            "steps": dict(run.results),
            "vars": fill(values, run.sources),
        },
        policy=policy_document(
            run.world.workspace,
            action.channel,
            quiet_hours=run.journey.quiet_hours,
            limits=run.journey.limits,
            timezone=run.journey.timezone,
            ignores_quiet_hours=bool(chosen("ignore_quiet_hours")),
            ignores_limits=bool(chosen("ignore_limits")),
        ),
    )


def _find_ending(run: Run, message_id: str) -> Event | None:
    since = min(run.step_entered_at, run.enrolment.entered_at)
    about = [event for event in run.happened(ENDINGS, since) if event.properties.get("message_id") == message_id]
    return about[0] if about else None


def _after(run: Run, ending: Event, on_skip: OnSkip | None) -> Decision:
    reason = ending.properties.get("reason")
    if ending.name == "message_failed":
        return Fail(reason or "failed", is_final=reason != "render_error")
    if ending.name != "message_skipped":
        return Done(answers=(ending.name.removeprefix("message_"),))
    if reason == "cap" and any(limit.then == "exit" for limit in run.journey.limits):
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
