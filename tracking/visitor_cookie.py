"""The first-party cookie by which a browser is known again: who may have one, and what it changes about calls. Pure.

Only an answer to a call of the shop's own pages sets it, never a mail's picture, and only under consent. Whoever sends
`Sec-GPC: 1` (Global Privacy Control, W3C) or says no gets none and is nobody: what they do is counted without a person.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from msgspec import structs

from tracking.events.event_spec import Call, CallKind

NAME: Final = "__Host-postilion"  # the prefix binds it to this host, encrypted, for all paths
MAX_AGE_S: Final = 400 * 24 * 3600  # browsers keep none for longer (RFC 6265bis, 5.5)
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_COUNTRY_HEADERS: Final = ("x-country-code", "cf-ipcountry", "cloudfront-viewer-country")
_COUNTED: Final = (CallKind.TRACK, CallKind.PAGE, CallKind.SCREEN)

FORGET: Final = f"{NAME}=; Max-Age=0; {_ATTRIBUTES}"  # the Set-Cookie that takes it away

PlacedCalls = tuple[tuple[int, Call], ...]


class Consent(StrEnum):
    """What is known of a browser's consent to be known again."""

    GRANTED = "granted"
    REFUSED = "refused"
    UNSAID = "unsaid"  # a client that brings ids of its own, and answers for them


@dataclass(frozen=True, slots=True)
class Visit:
    """The calls as they may be taken, and the `Set-Cookie` of the answer, if any."""

    calls: PlacedCalls
    set_cookie: str | None = None


def receive(headers: Mapping[str, str], calls: PlacedCalls, countries: Collection[str]) -> Visit:
    """What becomes of a browser's calls; header names in small letters.

    `countries` are those (ISO 3166) whose people need not be asked first. An id of the client's own goes before that of
    the cookie.
    """
    consent = _consent(headers, calls, countries)
    if consent is Consent.UNSAID:
        return Visit(calls)
    visitor = read_cookie(headers.get("cookie", ""))
    if consent is Consent.REFUSED:
        return Visit(_without_person(calls), FORGET if visitor is not None else None)
    fresh = secrets.token_urlsafe(16) if visitor is None else None
    known = visitor or fresh
    named = tuple(
        (index, call if call.anonymous_id is not None else structs.replace(call, anonymous_id=known))
        for index, call in calls
    )
    return Visit(named, f"{NAME}={fresh}; Max-Age={MAX_AGE_S}; {_ATTRIBUTES}" if fresh is not None else None)


def read_cookie(header: str) -> str | None:
    """The visitor id in a `Cookie` header; None without one of ours."""
    try:
        found = SimpleCookie(header).get(NAME)
    except CookieError:
        return None
    return found.value if found is not None and _ID.fullmatch(found.value) else None


def _consent(headers: Mapping[str, str], calls: PlacedCalls, countries: Collection[str]) -> Consent:
    if headers.get("sec-gpc", "").strip() == "1":
        return Consent.REFUSED
    said = [call.context["consent"] for _, call in calls if isinstance(call.context.get("consent"), Mapping)]
    answers = [_analytics(one) for one in said]
    if not answers:
        return Consent.UNSAID
    if False in answers:
        return Consent.REFUSED
    if None not in answers:
        return Consent.GRANTED
    country = next((headers[name].upper() for name in _COUNTRY_HEADERS if name in headers), None)
    return Consent.GRANTED if country in countries else Consent.REFUSED


def _analytics(said: Mapping[str, Any]) -> bool | None:
    """`{analytics: true}`, or Segment's `{categoryPreferences: {analytics: true}}`; None when nobody was asked yet."""
    preferences = said.get("categoryPreferences")
    source = preferences if isinstance(preferences, Mapping) else said
    answer = {str(name).lower(): value for name, value in source.items()}.get("analytics")
    return answer if isinstance(answer, bool) else None


def _without_person(calls: Sequence[tuple[int, Call]]) -> PlacedCalls:
    """What happened, without to whom; calls that are about nothing but a person go."""
    return tuple(
        (
            index,
            structs.replace(call, user_id=None, anonymous_id=None, previous_id=None, traits={}, is_unnamed=True),
        )
        for index, call in calls
        if call.kind in _COUNTED
    )
