"""Alice, of whom every table holds something, and Bob, who must not be touched by what becomes of her."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from campaigns.tables import audience_member, launch
from console.rights.owned import personal_tables, rows_of
from core.runtime import Runtime
from customers.account_tables import account, account_member
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.log import NewEvent, append_events
from customers.orders import NewLine, NewOrder, record_orders
from customers.profiles import set_attributes
from customers.rights_tables import rights_request, single_use_link
from customers.tables import (
    IdentityKind,
    OrderKind,
    ProfileStatus,
    customer_order,
    identity,
    import_batch,
    import_change,
    merge_review,
    profile,
    profile_merge,
    stated_attribute,
    static_list_member,
    visitor_link,
    visitor_tenure,
)
from customers.task_tables import task
from customers.workspace import get_workspace
from delivery.outbox import NewMessage, enqueue
from delivery.tables import OriginKind, delivery_attempt, delivery_event, message
from insights.tables import score
from journeys.tables import (
    assignment,
    bandit_draw,
    enrolment,
    entry_refusal,
    entry_settling,
    event_wait,
    journal,
    timer,
)
from recommender.tables import offer_code, offer_decision, offer_impression
from segments.tables import membership, segment_audit, segment_fault, segment_rank
from tracking.tables import consent_handle, conversion, engagement_event, sign_up

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
DAY = timedelta(days=1)

WORKSPACE: dict[str, Any] = {
    "workspace": "shop",
    "name": "Fern & Kettle",
    "timezone": "Europe/London",
    "currency": "GBP",
    "country": "GB",
    "topics": {"marketing": {"kind": "marketing"}, "orders": {"kind": "transactional"}},
    "senders": {"letters": {"from": "letters@shop.example", "channel": "email"}},
    "attributes": {
        "first_name": {"kind": "text", "personal": True},
        "birthday": {"kind": "date", "personal": True},
        "tier": {"kind": "text"},
    },
    "events": {"product_viewed": {"properties": {"product_id": "text"}}},
}

# Words that stand nowhere else: the sealed ones, and those that stand in clear until she is erased.
SEALED = {
    "email": "alice.marigold@people.example",
    "phone": "+447946018273",
    "first_name": "Aliceandra",
    "note": "kept-under-seal-5521",
    "message": "message-words-8812",
    "link": "https://shop.example/for-her-7719",
    "run": "entry-words-3345",
    "title": "Call Marigold back 6631",
    "report": "providers-own-words-4420",
    "voucher": "VOUCHER-MARIGOLD-1187",
}
PLAIN = {
    "external_id": "customer-marigold-77",
    "visitor": "visitor-marigold-99",
    "tier": "tier-of-marigold",
    "timezone": "Antarctica/Troll",
    "agent": "Marigold-Browser/1.0",
}


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str


def add_person(runtime: Runtime, name: str, identifiers: Mapping[IdentityKind, str], **attributes: Any) -> int:
    """Somebody with these identifiers and attributes, who agreed to marketing by e-mail."""
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        number = resolve(connection, runtime.vault, identifiers, NOW)
        assert number is not None
        set_attributes(connection, runtime.vault, workspace, number, attributes, NOW)
        if address := identifiers.get(IdentityKind.EMAIL):
            record_consents(connection, [grant(runtime, address, number, f"consent:{name}")], NOW)
        append_events(
            connection,
            runtime.vault,
            workspace,
            [
                NewEvent("product_viewed", NOW - DAY, "site", f"view:{name}", number, {"product_id": "kettle"}),
                NewEvent("note", NOW - DAY, "site", f"note:{name}", number, {"text": attributes.get("note", name)}),
            ],
            NOW,
        )
        orders = [order_of(name, number)]
        record_orders(connection, runtime.vault, workspace, orders, source="shop", received_at=NOW)
    return number


def add_bob(runtime: Runtime) -> int:
    return add_person(
        runtime,
        "bob",
        {IdentityKind.EXTERNAL_ID: "bob", IdentityKind.EMAIL: "bob@people.example"},
        first_name="Bob",
        tier="plain",
    )


def add_alice(runtime: Runtime) -> int:
    """Alice, with rows in every table that can hold something of a person."""
    number = add_person(
        runtime,
        "alice",
        {
            IdentityKind.EXTERNAL_ID: PLAIN["external_id"],
            IdentityKind.EMAIL: SEALED["email"],
            IdentityKind.PHONE: SEALED["phone"],
            IdentityKind.VISITOR: PLAIN["visitor"],
        },
        first_name=SEALED["first_name"],
        birthday="1980-04-05",
        tier=PLAIN["tier"],
        timezone=PLAIN["timezone"],
        note=SEALED["note"],
    )
    other = add_person(runtime, "twin", {IdentityKind.VISITOR: "twin-visitor"})
    with runtime.database.transaction() as connection:
        _fill_customers(connection, runtime, number, other)
        _fill_delivery(connection, runtime, number)
        _fill_journeys(connection, runtime, number)
        _fill_the_rest(connection, runtime, number)
    return number


def grant(runtime: Runtime, address: str, profile_id: int, key: str, at: datetime = NOW - DAY) -> NewConsent:
    lookup = lookup_of(runtime.vault, IdentityKind.EMAIL, address)
    return NewConsent(lookup, "email", "marketing", ConsentStatus.GRANTED, Basis.OPT_IN, "form", at, profile_id, key)


def order_of(name: str, number: int) -> NewOrder:
    lines = [NewLine(1, "kettle", 1, 2_500)]
    return NewOrder(f"shop:{name}", OrderKind.ORDER, number, NOW - DAY, "GBP", lines)


def merge_into(connection: Connection, merged: int, survivor: int) -> None:
    """As a merge leaves it: the rows are the survivor's, sealed under the key of whose they were."""
    connection.execute(
        update(identity).where(identity.c.profile_id == merged).values(profile_id=survivor, origin_profile_id=merged)
    )
    gone = {"status": ProfileStatus.MERGED, "merged_into": survivor}
    connection.execute(update(profile).where(profile.c.id == merged).values(**gone))


def count_rows(connection: Connection, profile_ids: list[int]) -> dict[str, int]:
    """How many rows each table has of these profiles."""
    return {
        table.name: connection.execute(
            select(func.count()).select_from(table).where(rows_of(table, personal, profile_ids))
        ).scalar_one()
        for table, personal in personal_tables()
    }


def _fill_customers(connection: Connection, runtime: Runtime, number: int, other: int) -> None:
    vault = runtime.vault
    batch = {"key": "b", "kind": "profiles", "file": "people.csv", "status": "done", "started_at": NOW}
    (batch_id,) = connection.execute(insert(import_batch).values(**batch).returning(import_batch.c.id)).one()
    (account_id,) = connection.execute(
        insert(account).values(key="a", name="Fern", created_at=NOW, updated_at=NOW).returning(account.c.id)
    ).one()
    request = {"kind": "export", "status": "done", "requested_at": NOW, "due_at": NOW, "requested_by": "her"}
    (request_id,) = connection.execute(
        insert(rights_request).values(profile_id=number, **request).returning(rights_request.c.id)
    ).one()
    rows: dict[Any, dict[str, Any]] = {
        import_change: {
            "batch_id": batch_id,
            "kind": "profile_changed",
            "ref": str(number),
            "before": vault.seal_document(number, "import_change.before", {"first_name": SEALED["first_name"]}),
        },
        static_list_member: {"list": "vip", "added_at": NOW},
        visitor_link: {"visitor_id": 1, "kind": "strong", "occurred_at": NOW, "key": "call-1", "said_by": "call-1"},
        visitor_tenure: {"visitor_id": 1, "since": NOW},
        stated_attribute: {
            "name": "first_name",
            "is_claimed": False,
            "occurred_at": NOW,
            "key": "call-1",
            "sealed": vault.seal_document(number, "stated_attribute.value", {"value": SEALED["first_name"]}),
        },
        account_member: {"account_id": account_id, "since": NOW},
        single_use_link: {"lookup": "hash", "kind": "export", "request_id": request_id, "expires_at": NOW},
        task: {
            "id": "task-1",
            "kind": "complaint",
            "status": "open",
            "sealed_title": vault.seal(number, "task.title", SEALED["title"]),
            "sealed_body": vault.seal(number, "task.body", SEALED["note"]),
            "priority": "high",
            "created_at": NOW,
            "updated_at": NOW,
        },
    }
    for table, row in rows.items():
        connection.execute(insert(table).values(profile_id=number, **row))
    merged = {"merged_profile_id": number, "cause": "review", "source": "somebody", "occurred_at": NOW}
    connection.execute(
        insert(profile_merge).values(
            kind="merge", profile_id=other, sealed_document=vault.seal(other, "x", SEALED["note"]), **merged
        )
    )
    review = {"reason": "alias", "status": "open", "found_at": NOW}
    pair = {"first_profile_id": min(number, other), "second_profile_id": max(number, other)}
    connection.execute(insert(merge_review).values(**review, **pair))


def _fill_delivery(connection: Connection, runtime: Runtime, number: int) -> None:
    vault = runtime.vault
    new = NewMessage(
        id="message-1",
        profile_id=number,
        channel="email",
        topic="marketing",
        template="letter",
        origin_kind=OriginKind.CAMPAIGN,
        origin="summer",
        origin_id="launch-1",
        due_at=NOW + DAY,
        context={"entry": SEALED["message"]},
    )
    enqueue(connection, vault, [new], NOW)
    links = vault.seal_document(number, "message.links", {"1": SEALED["link"]})
    sent_to = {"lookup": vault.blind_index("email", SEALED["email"]), "recipient_domain": "people.example"}
    connection.execute(update(message).values(links=links, **sent_to))
    connection.execute(insert(delivery_attempt).values(message_id="message-1", attempt_no=1, started_at=NOW))
    report = vault.seal(number, "delivery_event.document", SEALED["report"])
    said = {"key": "d1", "kind": "delivered", "occurred_at": NOW, "received_at": NOW, "sealed_document": report}
    connection.execute(insert(delivery_event).values(message_id="message-1", **said))
    opened = {"kind": "opened", "occurred_at": NOW, "human_probability": 1.0, "agent": PLAIN["agent"]}
    connection.execute(insert(engagement_event).values(message_id="message-1", profile_id=number, **opened))
    handle = {"handle": 7, "lookup": "hash", "channel": "email", "topic": "marketing", "created_at": NOW}
    connection.execute(insert(consent_handle).values(profile_id=number, message_id="message-1", **handle))
    entered = vault.seal_document(number, "sign_up.document", {"address": SEALED["email"], "values": {}})
    form = {"form": "newsletter", "form_version": 1, "status": "waiting", "topics": ["marketing"], "network": "hash"}
    shown = {"text_version": "1", "language": "en", "requested_at": NOW, "mailed_at": NOW, "mail_count": 1}
    asked = {"token_id": 7, "lookup": "hash", "sealed_document": entered, **form, **shown}
    connection.execute(insert(sign_up).values(profile_id=number, **asked))
    order_id = connection.scalar(select(customer_order.c.id).where(customer_order.c.profile_id == number))
    credit = {"rule": "clicked", "amount": 2_500, "currency": "GBP", "occurred_at": NOW}
    connection.execute(insert(conversion).values(order_id=order_id, message_id="message-1", **credit))


def _fill_journeys(connection: Connection, runtime: Runtime, number: int) -> None:
    run = {"entry": {"words": SEALED["run"]}, "steps": {}}
    connection.execute(
        insert(enrolment).values(
            id=1,
            uid="run-1",
            journey="welcome",
            version=1,
            profile_id=number,
            key="",
            status="active",
            step="wait",
            entered_at=NOW - DAY,
            journal_seq=1,
            sealed_state=runtime.vault.seal_document(number, "enrolment.sealed_state", run),
        )
    )
    connection.execute(insert(journal).values(enrolment_id=1, seq=1, at=NOW - DAY, kind="entered"))
    connection.execute(insert(timer).values(enrolment_id=1, kind="step", due_at=NOW + DAY))
    waits = {"enrolment_id": 1, "item_no": 1, "event_name": "product_viewed"}
    connection.execute(insert(event_wait).values(profile_id=number, **waits))
    arm = {"seed": "s", "test": "welcome/holdout", "arm": "treated", "version": 1}
    connection.execute(insert(assignment).values(profile_id=number, **arm))
    refusal = {"key": "r", "journey": "winback", "reason": "condition", "at": NOW}
    connection.execute(insert(entry_refusal).values(profile_id=number, **refusal))
    settling = {"enrolment_uid": "run-2", "journey": "winback", "event_id": 1, "asked_at": NOW, "until": NOW + DAY}
    connection.execute(insert(entry_settling).values(profile_id=number, **settling))
    draw = {"id": "draw-1", "test": "welcome/way", "reward": "-", "arm": "gift", "enrolment_uid": "run-1"}
    connection.execute(insert(bandit_draw).values(profile_id=number, **draw, drawn_at=NOW - DAY, ends_at=NOW + DAY))


def _fill_the_rest(connection: Connection, runtime: Runtime, number: int) -> None:
    connection.execute(insert(membership).values(segment="vip", profile_id=number, entered_at=NOW))
    connection.execute(insert(segment_fault).values(segment="vip", profile_id=number, cause="-", found_at=NOW))
    connection.execute(insert(segment_audit).values(segment="vip", profile_id=number, kind="extra", found_at=NOW))
    connection.execute(insert(segment_rank).values(basis="-", profile_id=number, place=1))
    connection.execute(insert(score).values(name="churn", profile_id=number, value=50.0, computed_at=NOW))
    chosen = {"offer": "cross_sell", "surface": "email", "is_holdout": False, "fallback_level": "rules", "items": []}
    connection.execute(insert(offer_decision).values(id="offer-1", profile_id=number, decided_at=NOW, **chosen))
    connection.execute(insert(offer_impression).values(decision_id="offer-1", kind="shown", occurred_at=NOW))
    drawn = {"draw_id": "voucher-1", "offer": "cross_sell", "owner": "run-1", "drawn_at": NOW}
    voucher = runtime.vault.seal_for_workspace("offer_code.code", SEALED["voucher"])
    pooled = {"pool": "ten", "lookup": "v1", "code": voucher, "added_at": NOW}
    connection.execute(insert(offer_code).values(profile_id=number, **drawn, **pooled))
    started = {"campaign": "summer", "version": 1, "occurrence": "now", "status": "sending", "launched_at": NOW}
    connection.execute(insert(launch).values(id="launch-1", **started))
    connection.execute(insert(audience_member).values(launch_id="launch-1", profile_id=number, is_holdout=False))
