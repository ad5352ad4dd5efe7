"""The call of a webhook as an envelope: no template, no sender; the document is what its step says, or the usual one.

The usual document names the message, the journey and its step, the profile by its numbers, and what the journey knows
of its entry and its steps. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from customers.profiles import Profile
from delivery.envelope import Envelope, MessageRow
from delivery.tables import MessageKind
from delivery.webhook_signature import DEFAULT_SECRET

WEBHOOK = "webhook"
_WITHOUT_BODY = frozenset({"GET", "DELETE"})


def compose_call(
    row: MessageRow, context: Mapping[str, Any], profile: Profile, secrets_of: Callable[[str], Sequence[str]]
) -> Envelope:
    """The envelope of one call; `context` is what `journeys/steps/webhook.py` froze, `secrets_of` knows each secret."""
    spec = context[WEBHOOK]
    method = spec.get("method") or "POST"
    body = (
        "" if method in _WITHOUT_BODY else _written(spec["body"] if "body" in spec else _usual(row, context, profile))
    )
    return Envelope(
        row.id,
        WEBHOOK,
        MessageKind(row.kind),
        recipient=spec["url"],
        lookup="",
        sender="",
        text=body,
        tags={"mid": row.id},
        details={
            "method": method,
            "secrets": tuple(secrets_of(spec.get("secret") or DEFAULT_SECRET)),
            "timeout_s": spec.get("timeout_s"),
        },
    )


def _usual(row: MessageRow, context: Mapping[str, Any], profile: Profile) -> dict[str, Any]:
    return {
        "message_id": row.id,
        row.origin_kind: row.origin,
        "step": row.step,
        "profile": {"id": profile.id, "external_id": profile.external_id},
        "entry": context.get("entry") or {},
        "steps": context.get("steps") or {},
    }


def _written(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str)
