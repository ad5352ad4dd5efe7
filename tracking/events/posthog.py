"""The events of PostHog's clients as calls of the event spec. Pure.

Names that begin with `$` are PostHog's own. Some mean what a call means (`$identify`, `$pageview`, `$create_alias`);
properties of that kind describe the browser and are let go, but for what tells the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from core.errors import InputError
from tracking.events.envelope import Envelope, check_storable
from tracking.events.event_spec import Call, CallKind, call_key, occurred_at, read_id

# Recordings of screens and the SDK's talk about itself: nothing that a customer did.
PASSED_OVER: Final = frozenset(
    {"$snapshot", "$$heatmap", "$performance_event", "$$client_ingestion_warning", "$feature_flag_called", "$opt_in"}
)
_KINDS: Final = {
    "$identify": CallKind.IDENTIFY,
    "$set": CallKind.IDENTIFY,
    "$pageview": CallKind.PAGE,
    "$screen": CallKind.SCREEN,
    "$create_alias": CallKind.ALIAS,
    "$groupidentify": CallKind.GROUP,
}
_PAGE: Final = {"$current_url": "url", "$pathname": "path", "$referrer": "referrer", "title": "title"}
_ENVELOPE: Final = frozenset({"token", "distinct_id", "user_hash"})
_MAX_OFFSET_MS: Final = 366 * 86_400_000


class _WireEvent(msgspec.Struct):
    event: str | None = None
    distinct_id: str | int | None = None
    properties: dict[str, Any] | None = None
    timestamp: str | None = None
    offset: float | None = None  # milliseconds between happening and sending
    uuid: str | None = None
    message_id: str | None = msgspec.field(name="messageId", default=None)
    traits: dict[str, Any] | None = msgspec.field(name="$set", default=None)
    traits_once: dict[str, Any] | None = msgspec.field(name="$set_once", default=None)


_read_event = msgspec.json.Decoder(_WireEvent).decode


def read_event(raw: bytes, envelope: Envelope, received_at: datetime) -> list[Call]:
    """What one event says: none for what is passed over, two where it brings traits beside what happened.

    Raises InputError, or one of `envelope.FAULTS`.
    """
    wire = _read_event(raw)
    said = wire.properties or {}
    check_storable(raw, (said, wire.traits or {}, wire.traits_once or {}))
    if not wire.event:
        raise InputError("it has no `event`.")
    if wire.event in PASSED_OVER:
        return []
    kind = _KINDS.get(wire.event, CallKind.TRACK)
    key = call_key(wire.uuid or wire.message_id, raw)
    at = _happened_at(wire, envelope, received_at)
    user_id, anonymous_id = _who(wire.event, wire.distinct_id or said.get("distinct_id"), said)
    context = {"page": _page(said), **({"user_hash": said["user_hash"]} if "user_hash" in said else {})}
    traits = _own({**_mapping(said, "$set_once"), **(wire.traits_once or {}), **_mapping(said, "$set")})
    traits |= _own(wire.traits or {})
    match kind:
        case CallKind.IDENTIFY:
            return [Call(kind, key, at, user_id, anonymous_id, traits=traits, context=context)]
        case CallKind.ALIAS:
            alias = read_id(_text(said.get("alias")))
            return [Call(kind, key, at, alias, previous_id=user_id or anonymous_id, context=context)]
        case CallKind.GROUP:
            group_id = read_id(_text(said.get("$group_key")))
            traits = _own(_mapping(said, "$group_set"))
            return [Call(kind, key, at, user_id, anonymous_id, group_id=group_id, traits=traits, context=context)]
    name = _text(said.get("$screen_name")) if kind is CallKind.SCREEN else None
    if kind is CallKind.TRACK:
        name = wire.event
    properties = {name: value for name, value in said.items() if not name.startswith("$") and name not in _ENVELOPE}
    calls = [Call(kind, key, at, user_id, anonymous_id, name=name, properties=properties, context=context)]
    if traits and user_id:
        calls.insert(0, Call(CallKind.IDENTIFY, f"{key}:set", at, user_id, traits=traits, context=context))
    return calls


def _happened_at(wire: _WireEvent, envelope: Envelope, received_at: datetime) -> datetime:
    if wire.timestamp is None and wire.offset is not None and 0 <= wire.offset <= _MAX_OFFSET_MS:
        return received_at - timedelta(milliseconds=wire.offset)
    return occurred_at(happened=wire.timestamp, sent=envelope.sent_at, received_at=received_at)


def _who(event: str, distinct: Any, said: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """User id and anonymous id: PostHog has one name for both, and its browser client says which it is."""
    distinct_id = read_id(_text(distinct))
    if event == "$identify":
        return distinct_id, read_id(_text(said.get("$anon_distinct_id")))
    user_id = read_id(_text(said.get("$user_id")))
    if user_id is not None:
        return user_id, None
    if event == "$groupidentify" and distinct_id is not None and distinct_id.startswith("$"):
        return None, None  # made of the group's name where a server names nobody
    is_identified = said.get("$is_identified")
    is_visitor = (
        is_identified is False
        or (is_identified is None and distinct_id is not None and said.get("$device_id") == distinct_id)
        or said.get("$process_person_profile") is False
    )
    return (None, distinct_id) if is_visitor else (distinct_id, None)


def _page(said: Mapping[str, Any]) -> dict[str, Any]:
    page = {ours: said[theirs] for theirs, ours in _PAGE.items() if said.get(theirs)}
    if "path" not in page and isinstance(page.get("url"), str):
        try:
            page["path"] = urlsplit(page["url"]).path
        except ValueError:
            return page
    return page


def _own(traits: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in traits.items() if not name.startswith("$")}


def _mapping(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
