"""`events.md`: the log events that Postilion writes itself, from `customers.own_events`."""

from __future__ import annotations

from customers.own_events import OWN_EVENTS
from docs.pages.markdown import code, page, table

_WHEN = {
    "order_placed": "an order came in, by import or by `POST /v1`; `total` is in minor units",
    "order_returned": "goods came back; `total` is negative",
    "message_sent": "the provider accepted a message, or a report proved that it had",
    "message_delivered": "the recipient's server took it",
    "message_bounced": "it could not be delivered, for good; the address is suppressed",
    "message_complained": "the recipient called it spam; the address is suppressed",
    "message_failed": "the provider refused it, or it could not be rendered",
    "message_skipped": "it was not sent; `reason` is one of [these](reasons.md)",
    "message_unknown": "nobody knows whether the provider took it, see [delivery](../delivery.md)",
    "message_opened": "the pixel was fetched; `is_human` says whether a person did it",
    "link_clicked": "a link was followed; `is_human` says whether a person did it",
    "unsubscribed": "somebody left, by a message's link, by mail, by text message or with the provider",
    "consent_granted": "somebody agreed to a channel and topic",
    "consent_withdrawn": "somebody took that back",
    "segment_entered": "a refresh found somebody in a segment who was not in it before",
    "segment_left": "a refresh found that somebody is in a segment no more",
    "offer_shown": "a product was proposed to somebody",
    "offer_clicked": "somebody followed it",
    "journey_entered": "somebody began a journey, or was held out of it",
    "journey_exited": "a journey ended for somebody; `reason` says why",
    "journey_started": "a step of one journey brought somebody to the door of another; its `entry.*` is sealed",
    "goal_reached": "somebody reached the goal of a journey",
    "entry_requested": "a call asked to let somebody into a journey; what it brought beside this is sealed",
    "profile_merged": "this profile took over another that turned out to be the same person",
    "profile_split": "that was undone; the other profile has its own again",
    "task_created": "a task, complaint or service request about somebody was opened",
    "task_closed": "it was done or cancelled; `outcome` says with what result",
}


def render() -> str:
    rows = [
        (code(name), _WHEN[name], ", ".join(f"{code(key)} {kind}" for key, kind in spec.properties.items()))
        for name, spec in OWN_EVENTS.items()
    ]
    return page(
        "Events that Postilion writes",
        "`customers/own_events.py`",
        "They stand in the customer log beside the events that `workspace.yaml` declares, and conditions, goals and "
        "journeys may name them without declaring them. They hold no personal data.",
        table(["event", "when", "properties"], rows),
    )
