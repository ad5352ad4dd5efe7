"""`webhook`: call a system of the shop's own, and stand here until it has answered or will not be asked again.

The call is a message of the send ledger like any other, so it is made at most twice and keeps its id; it asks for no
consent, because it reaches no person. It is signed (docs/how-to/transports.md says how to verify that).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from core.errors import InputError
from delivery.webhook_url import parse_webhook_url
from journeys.steps.contract import Decision, Step, StepSpec, Verb
from journeys.steps.messages import await_ending, message_id_of, queue
from journeys.steps.run import Run
from journeys.steps.values import fill
from journeys.transition import EnqueueMessage

CHANNEL = "webhook"
_LONGEST = timedelta(seconds=60)
_WITHOUT_BODY = ("GET", "DELETE")


@dataclass(frozen=True, slots=True)
class Webhook:
    """`call` is what the message will hold: url, method, secret, timeout_s, and `body` where the step has one."""

    call: Mapping[str, Any]


def parse(spec: StepSpec) -> Webhook:
    stated = spec.data[CHANNEL]
    place: tuple[str, ...] = (CHANNEL, "url") if isinstance(stated, Mapping) else (CHANNEL,)
    data: Mapping[str, Any] = stated if isinstance(stated, Mapping) else {"url": stated}
    for word in ("lambda", "pinpoint"):
        if word in (data.get("format"), *data):
            spec.not_yet(CHANNEL, "format" if word == "pinpoint" else word, what=f"`{word}` of a webhook")
    if "url" in data:
        _check_url(spec, data["url"], place)
    elif "lambda" not in data:
        spec.report("E101", CHANNEL, message="a webhook needs an address", hint="add `url: https://…`")
    call: dict[str, Any] = {"url": data.get("url", ""), "method": data.get("method", "POST")}
    if "secret" in data:
        call["secret"] = data["secret"]
    if "timeout" in data:
        call["timeout_s"] = _timeout_s(spec, data["timeout"])
    if "body" in data:
        if call["method"] in _WITHOUT_BODY:
            spec.report("E103", CHANNEL, "body", message=f"a {call['method']} has no body", hint="write method: POST")
        call["body"] = spec.value(data["body"], CHANNEL, "body")
    return Webhook(call)


def _check_url(spec: StepSpec, url: str, place: tuple[str, ...]) -> None:
    if "{{" in url:
        message = "the address of a webhook is the same for everybody"
        spec.report("E151", *place, message=message, hint="put what differs into `body`")
        return
    try:
        parse_webhook_url(url)
    except InputError as error:
        message, _, hint = str(error).partition(": ")
        spec.report("E151", *place, message=f"this address cannot be called, because {message}", hint=hint.rstrip("."))


def _timeout_s(spec: StepSpec, text: str) -> float:
    length = spec.duration(text, CHANNEL, "timeout")
    if length.has_date_part or not timedelta() < length.elapsed_part <= _LONGEST:
        spec.report("E103", CHANNEL, "timeout", message="a call takes 1 to 60 seconds", hint="write 10s")
        return _LONGEST.total_seconds()
    return length.elapsed_part.total_seconds()


def advance(step: Step, run: Run) -> Decision:
    if run.memo is not None:
        return await_ending(step, run)
    action: Webhook = step.action
    call = {**action.call, **({"body": fill(action.call["body"], run.sources)} if "body" in action.call else {})}
    return queue(
        step,
        run,
        EnqueueMessage(
            id=message_id_of(step, run, CHANNEL),
            channel=CHANNEL,
            template="",
            topic="",
            kind="transactional",
            sender=None,
            step=step.id,
            due_at=run.now,
            expires_at=None,
            context={CHANNEL: call, "entry": dict(run.enrolment.entry), "steps": dict(run.results)},
        ),
    )


VERB = Verb(CHANNEL, parse, advance, can_go_on=lambda _step: True)
