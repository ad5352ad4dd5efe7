"""What somebody wrote into a form: read, judged field by field, and kept to be shown again with what is wrong. Pure.

Three things tell programs from people without asking anybody: a field that nobody sees, a stamp that says when the page
was made, and how soon after that the form came back.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from core.clock import from_micros, to_micros
from core.errors import InputError
from core.vault import Vault
from customers.addresses import normalise
from customers.profiles import check_attributes
from customers.tables import IdentityKind
from customers.workspace import ValueKind, Workspace
from tracking.pages.answers import Fields
from tracking.pages.language import Texts
from tracking.pages.signing_up.definition import EMAIL, Form, FormField

STAMP: Final = "stamp"
TOPIC: Final = "topic"
CONSENT: Final = "consent"

_PURPOSE: Final = "form-stamp"
_SOONEST: Final = timedelta(seconds=2)
_LATEST: Final = timedelta(days=1)
_TRAPS: Final = ("website", "homepage", "company_url")
_MAC_DIGITS: Final = 20
_LONGEST: Final = 500
_YES: Final = "true"


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written, and what is wrong with it by field; `address` and `values` count where nothing is."""

    written: Mapping[str, str] = field(default_factory=dict, repr=False)
    topics: tuple[str, ...] = ()
    agrees: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)
    address: str = field(default="", repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


def trap_of(form: Form) -> str:
    """The name of the field that nobody sees: whoever fills it in is a program."""
    taken = {one.attribute for one in form.fields}
    return next((name for name in _TRAPS if name not in taken), "leave_empty")


def write_stamp(vault: Vault, form: Form, now: datetime) -> str:
    """What a page carries to say when it was made."""
    at = str(to_micros(now))
    return f"{at}.{_mac(vault, form, at, vault.key_version)}"


def is_timely(vault: Vault, form: Form, stamp: str, now: datetime) -> bool:
    """Whether the form comes from a page of ours, 2 seconds to a day after it was made."""
    at, _, mac = stamp.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) <= 18 and mac.isascii()):
        return False
    versions = range(vault.key_version, 0, -1)
    if not any(hmac.compare_digest(mac, _mac(vault, form, at, version)) for version in versions):
        return False
    return _SOONEST <= now - from_micros(int(at)) <= _LATEST


def read_entry(form: Form, workspace: Workspace, texts: Texts, fields: Fields) -> Filled:
    """What was written into `form`. Everything that is wrong is told at once, in the order of the page."""
    written = {name: _first(fields, name) for name in (EMAIL, *(one.attribute for one in form.fields))}
    errors: dict[str, str] = {}
    address = ""
    try:
        address = normalise(IdentityKind.EMAIL, written[EMAIL], workspace.country)
    except InputError:
        errors[EMAIL] = texts("form.no_email")
    values = {}
    for one in form.fields:
        try:
            values[one.attribute] = _value(one, workspace, written[one.attribute])
        except InputError:
            missing = not written[one.attribute]
            errors[one.attribute] = texts("form.missing" if missing else "form.bad_value", label=one.label)
    chosen = fields.get(TOPIC, []) if form.chooses else form.topics
    topics = tuple(slug for slug in form.topics if slug in chosen)
    if not topics:
        errors[TOPIC] = texts("form.no_topic")
    agrees = _first(fields, CONSENT) == form.consent_version
    if not agrees:
        errors[CONSENT] = texts("form.no_consent", brand=workspace.brand["name"])
    return Filled(written, topics, agrees, errors, address, values)


def _value(one: FormField, workspace: Workspace, text: str) -> Any:
    """Raises InputError."""
    if one.kind is ValueKind.BOOLEAN:
        text = _YES if text else "" if one.is_required else "false"
    if not text:
        if one.is_required:
            raise InputError("it is missing.")
        return None
    if one.options and text not in one.options:
        raise InputError("it is none of the options.")
    return check_attributes(workspace, {one.attribute: text})[one.attribute]


def _first(fields: Fields, name: str) -> str:
    return next(iter(fields.get(name, ())), "").strip()[:_LONGEST]


def _mac(vault: Vault, form: Form, at: str, version: int) -> str:
    key = vault.signing_key(_PURPOSE, version)
    return hmac.new(key, f"{form.slug}:{at}".encode(), hashlib.sha256).hexdigest()[:_MAC_DIGITS]
