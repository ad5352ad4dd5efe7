"""Offers in messages: who opens one has seen its products, and who follows a link has followed the product behind it.

Reads what the log tells of people, not of machines, and notes it beside what the website tells. The link says which
decision it came from, so that of two offers in one mail the right one is credited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import Connection, Row, select

from core.bulk import among
from core.cursors import Position, get_position, latest_position, save_position
from core.errors import NotFoundError
from core.vault import Vault
from customers.log import LoggedEvent, read_log
from customers.tables import customer_event, product
from customers.workspace import Workspace
from delivery.tables import message
from recommender.decisions import DECISION_PARAMETER, StoredDecision, find_decisions
from recommender.impressions import ImpressionKind, NewImpression, record_impressions

CURSOR: Final = "offer_mail_impressions"
_EVENTS = ("link_clicked", "message_opened")


def note_mail_impressions(
    connection: Connection, vault: Vault, workspace: Workspace, now: datetime, *, limit: int = 1_000
) -> int:
    """Note the next opens and clicks as impressions of offers; answers how many events were read (call again at
    `limit`). What was done before the first call is left alone.
    """
    position, latest = get_position(connection, CURSOR), latest_position(connection, customer_event)
    if position == Position():
        save_position(connection, CURSOR, latest)
        return 0
    events, behind = read_log(connection, position, limit, _EVENTS)
    if len(events) < limit:  # whatever else was logged need not be looked at again
        behind = max(behind, latest, key=lambda one: (one.transaction_no, one.row_id))
    acts = [one for one in events if one.properties.get("is_human") and one.properties.get("message_id")]
    if acts:
        impressions = _impressions(connection, vault, acts)
        record_impressions(connection, vault, workspace, impressions, now)
    if behind != position:
        save_position(connection, CURSOR, behind)
    return len(events)


def _impressions(connection: Connection, vault: Vault, acts: Sequence[LoggedEvent]) -> list[NewImpression]:
    columns = (message.c.id, message.c.profile_id, message.c.origin_profile_id, message.c.decision_id, message.c.links)
    ids = sorted({str(act.properties["message_id"]) for act in acts})
    rows = connection.execute(select(*columns).where(among(connection, message.c.id, ids)))
    messages = {row.id: row for row in rows}
    told = [
        (act, row, _followed(vault, row, act.properties.get("link_no")))
        for act in acts
        if (row := messages.get(str(act.properties["message_id"]))) is not None
    ]
    wanted = {decision for _, row, (decision, _) in told for decision in (row.decision_id, decision) if decision}
    decisions = find_decisions(connection, sorted(wanted))
    places = _places(connection, decisions.values())
    return [
        impression
        for act, row, (decision, url) in told
        for impression in _told(act, row.decision_id, decisions.get(decision or ""), url, places)
    ]


def _followed(vault: Vault, row: Row[Any], link_no: Any) -> tuple[str | None, str]:
    """The decision whose link was followed, and where it leads; none where it leads elsewhere, or nothing was."""
    if link_no is None or row.links is None:
        return None, ""
    try:
        links: Mapping[str, str] = vault.open_document(
            row.origin_profile_id or row.profile_id, "message.links", row.links
        )
    except NotFoundError:  # erased
        return None, ""
    url = links.get(str(link_no), "")
    return dict(parse_qsl(urlsplit(url).query)).get(DECISION_PARAMETER), url


def _told(
    act: LoggedEvent,
    carried: str | None,
    followed: StoredDecision | None,
    url: str,
    places: Mapping[tuple[str, str], Collection[str]],
) -> Iterator[NewImpression]:
    """What one act says: whoever acts has seen what the message carries."""
    for decision_id in dict.fromkeys(filter(None, (carried, followed.id if followed else None))):
        yield NewImpression(decision_id, ImpressionKind.SHOWN, None, act.occurred_at)
    if followed is not None:
        behind = places.get(_place(url), ())
        sku = next((item.sku for item in followed.items if item.sku in behind), None)
        yield NewImpression(followed.id, ImpressionKind.CLICKED, sku, act.occurred_at)


def _places(connection: Connection, decisions: Collection[StoredDecision]) -> Mapping[tuple[str, str], Collection[str]]:
    """The products that have their page at each place."""
    skus = sorted({item.sku for decision in decisions for item in decision.items})
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    query = select(product.c.sku, product.c.url).where(among(connection, product.c.sku, skus))
    for row in connection.execute(query):
        if row.url:
            found[_place(row.url)].add(row.sku)
    return found


def _place(url: str) -> tuple[str, str]:
    """Host and path: whatever else a link says, it says of the visit."""
    parts = urlsplit(url)
    return parts.netloc.lower(), parts.path
