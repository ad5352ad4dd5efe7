"""Sends every message of a journey to one address, so that somebody can look at them all, as people would get them.

Each is a test copy (`campaigns/trial.py`): outside all statistics, caps, quiet hours and tracking, and sent once. What
steps would have found out is made up where nobody stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, select

from campaigns.preview import SAMPLES, preview_template, propose
from campaigns.trial import Copy, check_recipient, send_rendered
from core.errors import ConflictError, InputError, NotFoundError
from core.runtime import Runtime
from core.vault import Vault
from customers.identities import resolve
from customers.log import logged_event, open_properties
from customers.tables import IdentityKind, customer_event
from customers.workspace import Workspace, get_workspace
from delivery.providers.transport import Transport
from journeys.carrying.codes import SAMPLE
from journeys.steps.contract import iter_steps
from journeys.steps.values import fill
from journeys.wording.entries import entries_of
from journeys.wording.steps import MESSAGES, Data, name_of, step_data, templates_of, verb_of
from journeys.wording.versions import Version, get_version
from recommender.offer_definition import get_offer

_CHANNELS = {"email": IdentityKind.EMAIL, "sms": IdentityKind.PHONE}
_LONGEST_MARK = 40


@dataclass(frozen=True, slots=True)
class Trial:
    """One message of a journey: the copy that went out, or why none did. `arm` is that of a test inside the step."""

    step: str
    channel: str
    template: str
    arm: str = ""
    copy: Copy | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Message:
    step: str
    channel: str
    template: str
    arm: str
    sender: str | None
    values: Mapping[str, Any]


def send_journey(
    runtime: Runtime,
    transports: Mapping[str, Transport],
    journey: str,
    to: str,
    profile_id: int | None = None,
    *,
    entry: Mapping[str, Any] | None = None,
) -> list[Trial]:
    """A copy of every message of the published `journey`, on whatever path, to the address or number `to`.

    They are rendered for `profile_id`, by default for a sample person; `entry` stands for the event that lets people
    in. The copies belong to the history of `profile_id`, without one to that of whoever has the address. One that
    cannot be rendered or sent does not keep back the others. Raises NotFoundError for an unknown journey, InputError
    for a wrong address or a journey without messages, ConflictError when the address is suppressed.
    """
    channel = "email" if "@" in to else "sms"
    check_recipient(runtime, channel, to)
    now = runtime.clock.now()
    with runtime.database.read() as connection:  # what deciding offers would write is lost
        workspace, version = get_workspace(connection), get_version(connection, journey)
        messages = list(_messages(version))
        found = dict(entry) if entry is not None else _entry(connection, runtime.vault, workspace, version, profile_id)
        steps = _results(connection, version, profile_id, found, now)
    if not messages:
        raise InputError(f"the journey {journey!r} sends no messages.")
    owner = profile_id if profile_id is not None else _owner(runtime, workspace, channel, to)
    trials = []
    for message in messages:
        if message.channel != channel:
            trials.append(_problem(message, f"a test of {message.channel} cannot go to this address"))
            continue
        try:
            copy = _send(runtime, transports, message, owner, profile_id, to, found, steps)
            trials.append(Trial(message.step, message.channel, message.template, message.arm, copy))
        except (InputError, NotFoundError, ConflictError) as error:
            trials.append(_problem(message, str(error)))
    return trials


def _send(
    runtime: Runtime,
    transports: Mapping[str, Transport],
    message: _Message,
    owner: int,
    profile_id: int | None,
    to: str,
    entry: Mapping[str, Any],
    steps: Mapping[str, Any],
) -> Copy:
    slug, _, pinned = message.template.partition("@")
    values = fill(message.values, {"entry": entry, "steps": steps})
    rendered = preview_template(
        runtime, slug, profile_id, version=int(pinned) if pinned else None, entry=entry, steps=steps, values=values
    )
    arm = f"/{message.arm}" if message.arm else ""
    mark = f"[Test {message.step}{arm}"[:_LONGEST_MARK] + "] "
    return send_rendered(runtime, transports, rendered, owner, to, mark=mark, sender=message.sender)


def _problem(message: _Message, problem: str) -> Trial:
    return Trial(message.step, message.channel, message.template, message.arm, problem=problem)


def _messages(version: Version) -> Iterator[_Message]:
    """Every message of every path, in the order of the file."""
    defaults: Data = version.document.get("defaults", {})
    for step in iter_steps(version.journey.steps):
        data = step_data(version.document, step.path)
        channel = verb_of(data)
        if channel not in MESSAGES:
            continue
        values = {**defaults.get("with", {}), **data.get("with", {})}
        sender = data.get("sender", defaults.get("sender"))
        for arm, (template, more) in templates_of(data).items():
            yield _Message(name_of(step.id, data), channel, template, arm, sender, {**values, **more})


def _entry(
    connection: Connection, vault: Vault, workspace: Workspace, version: Version, profile_id: int | None
) -> dict[str, Any]:
    """What the last event that could let this person in has brought, else made up as the workspace declares it."""
    names = [name for entry in entries_of(version.document) for name in _names(entry.get("event", ()))]
    declared = {name: SAMPLES[kind] for one in names if one in workspace.events
                for name, kind in workspace.events[one].properties.items()}  # fmt: skip
    if profile_id is None or not names:
        return declared
    event = customer_event.c
    query = select(customer_event).where(event.profile_id == profile_id, event.name.in_(names))
    row = connection.execute(query.order_by(event.occurred_at.desc(), event.id.desc()).limit(1)).one_or_none()
    return declared if row is None else {**open_properties(vault, logged_event(row))}


def _names(said: str | Sequence[str]) -> Sequence[str]:
    return [said] if isinstance(said, str) else said


def _results(
    connection: Connection, version: Version, profile_id: int | None, entry: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """What the steps would have found out: offers are decided, what was waited for has brought what the entry did."""
    results: dict[str, Any] = {}
    for step in iter_steps(version.journey.steps):
        data = step_data(version.document, step.path)
        if "wait_for" in data:
            results[step.id] = {"event": dict(entry)}
        elif "offer" in data:
            results[step.id] = _offered(connection, data["offer"], profile_id, now)
    return results


def _offered(connection: Connection, said: Any, profile_id: int | None, now: datetime) -> dict[str, Any]:
    slugs, count = ([said], None) if isinstance(said, str) else (said.get("from", ()), said.get("count"))
    for slug in slugs:
        decision = propose(connection, slug, profile_id, "email", now)
        if decision.items:
            items = [structs.asdict(item) for item in decision.items[:count]]
            code = SAMPLE if get_offer(connection, slug).pool is not None else decision.code
            ends_at = decision.code_ends_at.isoformat() if decision.code_ends_at is not None else None
            named = {"offer": slug, "decision_id": decision.id}
            return {"items": items, **named, "code": code, "code_ends_at": ends_at}
    return {"items": []}


def _owner(runtime: Runtime, workspace: Workspace, channel: str, to: str) -> int:
    """Whoever has this address: a message in the ledger is always somebody's. They are made known where nobody is."""
    with runtime.database.transaction() as connection:
        identifiers = {_CHANNELS[channel]: to}
        owner = resolve(connection, runtime.vault, identifiers, runtime.clock.now(), region=workspace.country)
    if owner is None:
        raise InputError(f"{to!r} is no address that a message can go to.")
    return owner
