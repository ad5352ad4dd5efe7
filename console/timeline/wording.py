"""What an entry of a timeline says to whoever answers the telephone: a title, and a remark beside it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.reporting.wording import money, reason
from console.timeline.entries import Entry, Group
from console.timeline.names import Names
from customers.workspace import Workspace

_CHANNELS = {"email": "E-mail", "sms": "Text message", "voice": "Call", "*": "Everything"}
_SITE = {
    "page_viewed": "Looked at a page",
    "screen_viewed": "Looked at a screen",
    "product_viewed": "Looked at a product",
    "product_added": "Put something in the cart",
    "product_removed": "Took something out of the cart",
    "cart_updated": "Changed the cart",
    "checkout_started": "Began to check out",
    "signed_up": "Signed up",
    "group_joined": "Joined a group",
}
_RIGHTS = {
    "export": "asked for a copy of the data",
    "rectify": "asked for a correction",
    "restrict": "asked that the data be used for nothing",
    "unrestrict": "lifted the restriction",
    "object": "objected to marketing",
    "unobject": "took the objection back",
    "erase": "asked to be erased",
}
_SHOWN_VALUES = 4
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Line:
    """`tone` is good, bad or quiet where the line is better told so, else plain."""

    title: str
    remark: str = ""
    tone: str = "plain"


def word(entry: Entry, names: Names, workspace: Workspace) -> Line:
    """The entry in words; of an event that only this shop knows, its name and first properties."""
    if entry.name in _WORDS:
        return _WORDS[entry.name](entry.detail, names, workspace)
    if entry.group is Group.MESSAGES:
        return _message(entry.name, entry.detail)
    return _activity(entry.name, entry.detail, names)


def sentence(name: str) -> str:
    """`cart_updated` as people write it."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def _order(detail: Mapping[str, Any], names: Names, workspace: Workspace) -> Line:
    value = money(detail.get("total") or 0, detail.get("currency") or workspace.currency)
    count = abs(int(detail.get("item_count") or 0))
    items = f"{count} item{'' if count == 1 else 's'}"
    return Line(f"Ordered for {value}", _joined(items, _products(detail, names), _order_no(detail)), "good")


def _return(detail: Mapping[str, Any], names: Names, workspace: Workspace) -> Line:
    value = money(abs(detail.get("total") or 0), detail.get("currency") or workspace.currency)
    return Line(f"Returned goods for {value}", _joined(_products(detail, names), _order_no(detail)), "bad")


def _order_no(detail: Mapping[str, Any]) -> str:
    number = str(detail.get("order_id") or "").rpartition(":")[2]
    return f"no. {number}" if number else ""


def _products(detail: Mapping[str, Any], names: Names) -> str:
    skus = [str(sku) for sku in detail.get("skus") or ()]
    shown = ", ".join(names.products.get(sku, sku) for sku in skus[:_SHOWN_VALUES])
    return f"{shown} and {len(skus) - _SHOWN_VALUES} more" if len(skus) > _SHOWN_VALUES else shown


_MESSAGE_WORDS = {
    "message_sent": ("{channel} sent", "plain"),
    "message_delivered": ("{channel} delivered", "quiet"),
    "message_bounced": ("{channel} bounced", "bad"),
    "message_complained": ("Called the {channel_small} spam", "bad"),
    "message_failed": ("{channel} failed", "bad"),
    "message_skipped": ("{channel} not sent", "quiet"),
    "message_unknown": ("{channel} perhaps sent", "quiet"),
    "message_opened": ("Opened the {channel_small}", "good"),
    "link_clicked": ("Clicked a link", "good"),
}


def _message(name: str, detail: Mapping[str, Any]) -> Line:
    channel = _CHANNELS.get(str(detail.get("channel")), "Message")
    pattern, tone = _MESSAGE_WORDS.get(name, (sentence(name), "plain"))
    title = pattern.format(channel=channel, channel_small=_small(channel))
    if detail.get("is_human") is False:
        title, tone = f"A machine {_small(title)}", "quiet"
    why = ""
    if name == "message_skipped" and detail.get("reason"):
        why = reason(str(detail["reason"]))
    elif name in ("message_failed", "message_unknown", "message_bounced"):
        why = str(detail.get("reason") or detail.get("sub_kind") or "").replace("_", " ")
    link = f"link {detail['link_tag']}" if detail.get("link_tag") else ""
    return Line(title, _joined(why, link, _origin(detail)), tone)


def _origin(detail: Mapping[str, Any]) -> str:
    """`campaign spring, variant plain`."""
    if not detail.get("origin"):
        return ""
    words = [f"{detail.get('origin_kind') or ''} {detail['origin']}".strip()]
    words += [f"{name} {detail[name]}" for name in ("step", "variant") if detail.get(name)]
    return ", ".join(words)


def _consent(verb: str, tone: str) -> Callable[[Mapping[str, Any], Names, Workspace], Line]:
    def say(detail: Mapping[str, Any], _names: Names, workspace: Workspace) -> Line:
        channel = _CHANNELS.get(str(detail.get("channel")), sentence(str(detail.get("channel"))))
        topic = str(detail.get("topic"))
        known = workspace.topics.get(topic)
        about = "everything" if topic == "*" else known.name if known else topic
        basis = str(detail.get("basis") or "").replace("_", " ")
        text = f"text {detail['text_version']}" if detail.get("text_version") else ""
        until = detail.get("expires_at")
        expiry = f"until {until:%-d %B %Y}" if isinstance(until, datetime) else ""
        return Line(
            f"{verb}: {_small(channel)}, {about}", _joined(basis, str(detail.get("source") or ""), text, expiry), tone
        )

    return say


def _segment(verb: str) -> Callable[[Mapping[str, Any], Names, Workspace], Line]:
    return lambda detail, _names, _workspace: Line(f"{verb} segment {detail.get('segment')}", "", "quiet")


def _journey(verb: str, tone: str) -> Callable[[Mapping[str, Any], Names, Workspace], Line]:
    def say(detail: Mapping[str, Any], _names: Names, _workspace: Workspace) -> Line:
        why = str(detail.get("reason") or "").replace("_", " ")
        return Line(f"{verb} journey {detail.get('journey')}", why, tone)

    return say


def _offer(verb: str) -> Callable[[Mapping[str, Any], Names, Workspace], Line]:
    def say(detail: Mapping[str, Any], names: Names, _workspace: Workspace) -> Line:
        sku = str(detail.get("sku") or "")
        what = names.products.get(sku, sku) or "an offer"
        return Line(f"{verb} {what}", _joined(f"offer {detail.get('offer')}", str(detail.get("surface") or "")))

    return say


def _task_created(detail: Mapping[str, Any], names: Names, _workspace: Workspace) -> Line:
    kind = sentence(str(detail.get("kind") or "task"))
    title = names.tasks.get(str(detail.get("task_id")), "")
    return Line(f"{kind} opened{f': {title}' if title else ''}", _for(detail))


def _task_closed(detail: Mapping[str, Any], names: Names, _workspace: Workspace) -> Line:
    kind = sentence(str(detail.get("kind") or "task"))
    title = names.tasks.get(str(detail.get("task_id")), "")
    outcome = str(detail.get("outcome") or "").replace("_", " ")
    return Line(f"{kind} closed{f': {title}' if title else ''}", _joined(outcome, _for(detail)))


def _for(detail: Mapping[str, Any]) -> str:
    return f"for {detail['team']}" if detail.get("team") else ""


def _merge(pattern: str) -> Callable[[Mapping[str, Any], Names, Workspace], Line]:
    def say(detail: Mapping[str, Any], _names: Names, _workspace: Workspace) -> Line:
        return Line(pattern.format(detail.get("other_profile_id")), str(detail.get("cause") or ""), "quiet")

    return say


def _request(detail: Mapping[str, Any], _names: Names, _workspace: Workspace) -> Line:
    asked = _RIGHTS.get(str(detail.get("kind")), f"asked: {detail.get('kind')}")
    done, due = detail.get("done_at"), detail.get("due_at")
    if isinstance(done, datetime):
        state = f"{detail.get('status')} on {done:%-d %B %Y}"
    else:
        state = f"to be answered by {due:%-d %B %Y}" if isinstance(due, datetime) else ""
    return Line(asked[:1].upper() + asked[1:], _joined(state, str(detail.get("requested_by") or "")))


def _import(detail: Mapping[str, Any], _names: Names, _workspace: Workspace) -> Line:
    undone = "undone since" if detail.get("undone_at") else ""
    return Line(f"Imported as {detail.get('kind')}", _joined(str(detail.get("file") or ""), undone), "quiet")


def _activity(name: str, detail: Mapping[str, Any], names: Names) -> Line:
    sku = str(detail.get("product_id") or detail.get("sku") or "")
    shown = {
        key: value for key, value in sorted(detail.items()) if key not in ("product_id", "sku") and _is_short(value)
    }
    words = [f"{key.replace('_', ' ')} {_short(value)}" for key, value in list(shown.items())[:_SHOWN_VALUES]]
    return Line(_SITE.get(name, sentence(name)), _joined(names.products.get(sku, sku), *words))


def _is_short(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


_WORDS: Mapping[str, Callable[[Mapping[str, Any], Names, Workspace], Line]] = {
    "order_placed": _order,
    "order_returned": _return,
    "consent_granted": _consent("Agreed", "good"),
    "consent_withdrawn": _consent("Withdrew", "bad"),
    "segment_entered": _segment("Entered"),
    "segment_left": _segment("Left"),
    "journey_entered": _journey("Entered", "plain"),
    "journey_exited": _journey("Left", "quiet"),
    "journey_started": _journey("Was brought to", "quiet"),
    "goal_reached": _journey("Reached the goal of", "good"),
    "offer_shown": _offer("Was shown"),
    "offer_clicked": _offer("Followed the offer of"),
    "task_created": _task_created,
    "task_closed": _task_closed,
    "profile_merged": _merge("Found to be the same person as profile {}"),
    "profile_split": _merge("Separated again from profile {}"),
    "rights_request": _request,
    "imported": _import,
}
