"""The log events that Postilion writes itself, and their properties.

They stand beside those that `workspace.yaml` declares, and hold no personal data: ids, money, slugs and codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from customers.workspace import EventSpec, ValueKind

_TEXT, _NUMBER, _LIST = ValueKind.TEXT, ValueKind.NUMBER, ValueKind.LIST

_ORDER = EventSpec({"order_id": _TEXT, "total": _NUMBER, "currency": _TEXT, "item_count": _NUMBER, "skus": _LIST})
_MESSAGE = EventSpec(
    {
        "message_id": _TEXT,
        "channel": _TEXT,
        "topic": _TEXT,
        "origin_kind": _TEXT,
        "origin": _TEXT,
        "origin_id": _TEXT,
        "step": _TEXT,
        "variant": _TEXT,
        "reason": _TEXT,
        "sub_kind": _TEXT,
    }
)
_SKIPPED = EventSpec({**_MESSAGE.properties, "then": _TEXT, "taken_by": _TEXT})  # of the limit that refused it
_ENGAGEMENT = EventSpec(
    {
        **_MESSAGE.properties,
        "link_no": _NUMBER,
        "link_tag": _TEXT,
        "is_human": ValueKind.BOOLEAN,
    }
)
_CONSENT = EventSpec({"channel": _TEXT, "topic": _TEXT, "source": _TEXT, "message_id": _TEXT})
_SEGMENT = EventSpec({"segment": _TEXT})
_OFFER = EventSpec({"offer": _TEXT, "decision_id": _TEXT, "sku": _TEXT, "surface": _TEXT, "message_id": _TEXT})
_JOURNEY = EventSpec({"journey": _TEXT, "version": _NUMBER, "enrolment_id": _TEXT, "reason": _TEXT, "step": _TEXT})
_START = EventSpec({"journey": _TEXT, "started_by": _TEXT, "enrolment_id": _TEXT, "start_id": _TEXT, "chain": _NUMBER})
_REQUEST = EventSpec({"journey": _TEXT, "request": _TEXT})  # what the call brings beside them is sealed
_MERGE = EventSpec({"merge_id": _NUMBER, "other_profile_id": _NUMBER, "cause": _TEXT})
_TASK = EventSpec(dict.fromkeys(("task_id", "kind", "team", "priority", "outcome", "origin", "step"), _TEXT))

OWN_EVENTS: Mapping[str, EventSpec] = MappingProxyType(
    {
        "order_placed": _ORDER,
        "order_returned": _ORDER,
        "message_sent": _MESSAGE,
        "message_delivered": _MESSAGE,
        "message_bounced": _MESSAGE,
        "message_complained": _MESSAGE,
        "message_failed": _MESSAGE,
        "message_skipped": _SKIPPED,
        "message_unknown": _MESSAGE,
        "message_opened": _ENGAGEMENT,
        "link_clicked": _ENGAGEMENT,
        "unsubscribed": _CONSENT,
        "consent_granted": _CONSENT,
        "consent_withdrawn": _CONSENT,
        "segment_entered": _SEGMENT,
        "segment_left": _SEGMENT,
        "offer_shown": _OFFER,
        "offer_clicked": _OFFER,
        "journey_entered": _JOURNEY,
        "journey_exited": _JOURNEY,
        "journey_started": _START,
        "goal_reached": _JOURNEY,
        "entry_requested": _REQUEST,
        "profile_merged": _MERGE,
        "profile_split": _MERGE,
        "task_created": _TASK,
        "task_closed": _TASK,
    }
)
