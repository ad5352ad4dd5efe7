"""What files say about consent, in our words, and the entry that follows. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.clock import to_micros
from customers.consent import WHOLE_CHANNEL, Basis, ConsentStatus, NewConsent
from customers.imports import values
from customers.imports.values import RefusedError
from customers.pausing import PREFIX as PAUSE
from customers.tables import IdentityKind
from customers.tracking_consent import CHANNEL as TRACKING
from customers.tracking_consent import TOPIC as TRACKED_TOPIC
from customers.workspace import Workspace

CHANNELS = frozenset({"email", "sms", "voice", "letter", "webhook", "push", TRACKING})

_GRANTED = frozenset(
    ["granted", "yes", "true", "1", "subscribed", "opted_in", "opt_in", "active", "confirmed", "ja", "oui", "si", "sí"]
)
_WITHDRAWN = frozenset(
    ["withdrawn", "denied", "no", "false", "0", "unsubscribed", "opted_out", "opt_out", "revoked", "nein", "non", "nee"]
)
# What other tools write where nobody was asked, or has not answered yet.
_UNSAID = frozenset(["never_subscribed", "not_subscribed", "non_subscribed", "unconfirmed", "pending", "unknown"])


def status(cell: Any) -> ConsentStatus | None:
    """Granted or withdrawn; None for an empty cell and for words such as `pending`: nothing was said."""
    text = values.text(cell)
    word = text.lower().replace(" ", "_").replace("-", "_") if text is not None else None
    if word is None or word in _UNSAID:
        return None
    if word in _GRANTED:
        return ConsentStatus.GRANTED
    if word in _WITHDRAWN:
        return ConsentStatus.WITHDRAWN
    raise RefusedError("wrong_consent")


def basis(cell: Any) -> Basis | None:
    word = values.text(cell)
    try:
        return Basis(word.lower()) if word else None
    except ValueError:
        raise RefusedError("wrong_basis") from None


def address_kind(channel: str) -> IdentityKind:
    """Which address a channel's consent binds; whether opens may be measured is said of mail.

    A postal address is no identifier here: who agrees to letters does so under the e-mail address.
    """
    reached = channel.removeprefix(PAUSE)
    return IdentityKind.EMAIL if reached in ("email", "letter", TRACKING) else IdentityKind.PHONE


def knows_topic(workspace: Workspace, channel: str, topic: str) -> bool:
    """Whether there is something to consent to under this name."""
    if channel == TRACKING:
        return topic in (TRACKED_TOPIC, WHOLE_CHANNEL)
    return topic == WHOLE_CHANNEL or topic in workspace.topics


def entry(
    source: str,
    lookup: str,
    channel: str,
    topic: str,
    state: ConsentStatus,
    at: datetime,
    profile_id: int | None,
    *,
    why: Basis | None = None,
    text_version: str | None = None,
    expires_at: datetime | None = None,
) -> NewConsent:
    """The entry for one statement of a file; the same statement always has the same key."""
    return NewConsent(
        lookup=lookup,
        channel=channel,
        topic=topic,
        status=state,
        basis=(why or Basis.OPT_IN) if state is ConsentStatus.GRANTED else None,
        source=f"import:{source}",
        occurred_at=at,
        profile_id=profile_id,
        key=f"{source}:{lookup}:{channel}:{topic}:{state}:{to_micros(at)}",
        text_version=text_version,
        expires_at=expires_at,
    )
