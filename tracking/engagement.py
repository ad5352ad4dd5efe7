"""What recipients did with a message, and whether it was they who did it.

Every request is kept as an engagement event with the probability that a person acted, and judged again whenever
another act of the same message comes: a link scanner's first click looks like anybody's, and only its second one gives
both away. The customer log, which nothing ever changes, must not be told too early, or a journey would follow the
scanner: `message_opened` and `link_clicked` are appended by `settle_engagement` ten seconds after the act, with what is
known by then. Evidence that comes later still corrects the engagement event, and with it reports, but not the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from msgspec import json
from sqlalchemy import Connection, Row, bindparam, select, update

from core.bulk import among, insert_few
from core.clock import to_micros
from core.cursors import Position, current_transaction, get_position, latest_position, read_after, save_position
from core.vault import Vault
from customers.consent import ConsentStatus, consent_of
from customers.log import LoggedEvent, NewEvent, append_events, read_log
from customers.tables import customer_event
from customers.touches import touch
from customers.tracking_consent import CHANNEL as TRACKING
from customers.tracking_consent import TOPIC as TRACKED_TOPIC
from customers.workspace import Workspace
from delivery.message_log import message_event
from delivery.tables import message
from tracking.classify import HUMAN, Act, ActKind, Evidence, Network, Verdict, judge
from tracking.links import template_number
from tracking.tables import engagement_event

SETTLING = timedelta(seconds=10)
SOURCE = "tracking"

_CURSOR = "engagement_settling"
_UNSETTLED = 100_000
_DELIVERIES = "engagement_deliveries"
_MAX_AGENT = 300
_MAX_TAG = 100
_MAX_EVIDENCE = 5_000  # acts read at once; a message that is asked for endlessly must not cost endlessly
_MAX_ACTS = 100  # acts of one message that are weighed, the newest ones
_TELLING = (Network.SCANNER, Network.DATACENTRE)
_EVENTS = {ActKind.OPENED: "message_opened", ActKind.CLICKED: "link_clicked"}
_ACTS = [kind.value for kind in ActKind]
_COLUMNS = (
    *("message_id", "profile_id", "kind", "link_no", "link_tag", "occurred_at"),
    *("human_probability", "reasons", "agent"),
)
_MESSAGE = (
    message.c.id,
    message.c.token_id,
    message.c.profile_id,
    message.c.channel,
    message.c.topic,
    message.c.origin_kind,
    message.c.origin,
    message.c.origin_id,
    message.c.step,
    message.c.variant,
    message.c.sent_at,
    message.c.delivered_at,
    message.c.lookup,
)


@dataclass(frozen=True, slots=True)
class Engagement:
    """One request for the pixel or a link, as it came in; `token_id` names the message, `link_tag` its link's tag."""

    token_id: int
    act: Act
    link_tag: str | None = None


def record_engagement(connection: Connection, engagements: Sequence[Engagement]) -> int:
    """Store what was done and judge anew what it sheds light on; answers how many acts belong to a message."""
    token_ids = sorted({item.token_id for item in engagements})
    if not token_ids:
        return 0
    query = select(*_MESSAGE).where(among(connection, message.c.token_id, token_ids))
    messages = {row.token_id: row for row in connection.execute(query)}
    left = _left_opens(connection, engagements, messages)
    known = [
        item
        for item in engagements
        if item.token_id in messages and not (item.act.kind is ActKind.OPENED and item.token_id in left)
    ]
    if known:
        rows = [_row(item, messages[item.token_id]) for item in known]
        computed = {"transaction_no": current_transaction(connection)}
        insert_few(connection, engagement_event, _COLUMNS, rows, computed=computed)
        touch(connection, {messages[item.token_id].profile_id for item in known})  # the log tells ten seconds later
        # An open says nothing about what was done before it, so that the pixel costs no reading.
        telling = {item.token_id for item in known if item.act.kind is not ActKind.OPENED}
        rejudge(connection, {messages[token_id].id: messages[token_id] for token_id in telling})
    return len(known)


def _left_opens(
    connection: Connection, engagements: Sequence[Engagement], messages: Mapping[int, Row[Any]]
) -> frozenset[int]:
    """Opened mails whose reader has said since they were sent that opens shall not be measured."""
    opened = {item.token_id for item in engagements if item.act.kind is ActKind.OPENED}
    lookups = {number: messages[number].lookup for number in opened if number in messages and messages[number].lookup}
    if not lookups:
        return frozenset()
    now = max(item.act.occurred_at for item in engagements)
    said = consent_of(connection, TRACKING, TRACKED_TOPIC, sorted(set(lookups.values())), now)
    return frozenset(number for number, lookup in lookups.items() if said[lookup] is ConsentStatus.WITHDRAWN)


def rejudge(connection: Connection, messages: Mapping[str, Row[Any]]) -> dict[int, Verdict]:
    """Judge the acts of these messages by all that is known now; answers the verdicts by engagement event."""
    verdicts: dict[int, Verdict] = {}
    changed: list[dict[str, Any]] = []
    weighed_anew: set[int] = set()
    if not messages:
        return verdicts
    for message_id, rows in _acts_of(connection, messages).items():
        acts = [_act(row) for row in rows]
        for number, row in enumerate(rows):
            if row.agent is None and "no_agent" not in row.reasons:
                # Retention has taken its agent: what it said still stands in the verdict, and only there.
                verdicts[row.id] = Verdict(row.human_probability, tuple(row.reasons))
                continue
            others = acts[:number] + acts[number + 1 :]
            delivered = messages[message_id]
            evidence = Evidence(acts[number], others, delivered.sent_at, delivered.delivered_at)
            verdicts[row.id] = verdict = judge(evidence)
            if (verdict.human_probability, list(verdict.reasons)) != (row.human_probability, row.reasons):
                changed.append({"event": row.id, "p": verdict.human_probability, "why": list(verdict.reasons)})
                weighed_anew.add(messages[message_id].profile_id)
    if changed:
        statement = update(engagement_event).where(engagement_event.c.id == bindparam("event"))
        connection.execute(statement.values(human_probability=bindparam("p"), reasons=bindparam("why")), changed)
        touch(connection, weighed_anew)
    return verdicts


def settle_engagement(
    connection: Connection, vault: Vault, workspace: Workspace, now: datetime, *, limit: int = 1_000
) -> int:
    """Log the opens and clicks that are ten seconds old; answers how many acts were dealt with (call again at `limit`).

    The properties of both events are those of a message, `is_human`, and for a click `link_no` and `link_tag`.
    """
    _weigh_late_deliveries(connection, limit)
    position = get_position(connection, _CURSOR)
    rows, _ = read_after(connection, engagement_event, position, limit=limit)
    settled = []
    for row in rows:
        if row.occurred_at > now - SETTLING:
            break
        settled.append(row)
    if not settled:
        return 0
    acts = [row for row in settled if row.kind in _EVENTS]
    messages = _messages(connection, {row.message_id for row in acts})
    verdicts = rejudge(connection, messages)
    events = [_event(row, messages[row.message_id], verdicts.get(row.id)) for row in acts]
    append_events(connection, vault, workspace, events, now)
    last = settled[-1]
    save_position(connection, _CURSOR, replace(position, transaction_no=last._transaction_no, row_id=last._row_id))
    return len(settled)


def unsettled_people(connection: Connection, since: datetime, until: datetime) -> set[int]:
    """Whose acts of [since, until) are not in the log yet."""
    act = engagement_event.c
    within = (act.occurred_at >= since, act.occurred_at < until)
    position = get_position(connection, _CURSOR)
    rows, _ = read_after(
        connection, engagement_event, position, limit=_UNSETTLED, columns=[act.profile_id], where=within
    )
    return {row.profile_id for row in rows if row.profile_id is not None}


def _weigh_late_deliveries(connection: Connection, limit: int) -> None:
    """Judge anew what was done with messages whose delivery has been reported since."""
    position = get_position(connection, _DELIVERIES)
    newest = latest_position(connection, customer_event)
    reported: list[LoggedEvent] = []
    behind = newest
    if position != Position():  # what was delivered before the first call was judged by it
        reported, behind = read_log(connection, position, limit, ["message_delivered"])
        behind = behind if reported else newest
    if behind != position:
        save_position(connection, _DELIVERIES, behind)
    if reported:
        acted = select(engagement_event.c.message_id).where(
            engagement_event.c.message_id.in_(sorted({str(event.properties["message_id"]) for event in reported})),
            engagement_event.c.kind.in_(_ACTS),
        )
        rejudge(connection, _messages(connection, connection.execute(acted.distinct()).scalars()))


def _event(row: Row[Any], of: Row[Any], verdict: Verdict | None) -> NewEvent:
    name = _EVENTS[ActKind(row.kind)]
    probability = row.human_probability if verdict is None else verdict.human_probability
    properties: dict[str, Any] = {"is_human": probability >= HUMAN}
    if row.link_no is not None:
        properties["link_no"] = template_number(row.link_no)
    if row.link_tag is not None:
        properties["link_tag"] = row.link_tag
    event = message_event(name, of, row.occurred_at, key=f"{name}:{row.id}")
    return replace(event, source=SOURCE, properties={**event.properties, **properties})


def _messages(connection: Connection, message_ids: Iterable[str]) -> dict[str, Row[Any]]:
    query = select(*_MESSAGE).where(message.c.id.in_(sorted(message_ids)))
    return {row.id: row for row in connection.execute(query)}


def _acts_of(connection: Connection, message_ids: Iterable[str]) -> dict[str, list[Row[Any]]]:
    """The newest acts of each message."""
    newest = (
        select(engagement_event)
        .where(engagement_event.c.message_id.in_(sorted(message_ids)), engagement_event.c.kind.in_(_ACTS))
        .order_by(engagement_event.c.id.desc())
        .limit(_MAX_EVIDENCE)
    )
    by_message: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(newest):
        if len(by_message[row.message_id]) < _MAX_ACTS:
            by_message[row.message_id].append(row)
    return by_message


def _act(row: Row[Any]) -> Act:
    return Act(ActKind(row.kind), row.occurred_at, row.agent or "", row.link_no, _network(row.reasons))


def _network(reasons: Sequence[str]) -> Network:
    """What the act's network was: the address was never stored."""
    return next((network for network in _TELLING if network.value in reasons), Network.UNKNOWN)


def _row(item: Engagement, of: Row[Any]) -> tuple[Any, ...]:
    """The values of `_COLUMNS`, as the driver takes them."""
    act = item.act
    verdict = judge(Evidence(act, (), of.sent_at, of.delivered_at))
    return (
        of.id,
        of.profile_id,
        act.kind.value,
        act.link_no,
        item.link_tag[:_MAX_TAG] if item.link_tag else None,
        to_micros(act.occurred_at),
        verdict.human_probability,
        json.encode(verdict.reasons).decode(),
        # Whose message no longer says where it went was erased since, or has grown old.
        (act.agent[:_MAX_AGENT] or None) if of.lookup else None,
    )
