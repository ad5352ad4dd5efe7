from __future__ import annotations

from datetime import time
from decimal import Decimal

import pytest

from core.database import Database
from core.definitions import publish
from core.errors import ConflictError, NotFoundError
from customers.workspace import AttributeSpec, ValueKind, get_workspace, parse_workspace
from tests.customers.conftest import NOW

DOCUMENT = {
    "workspace": "shop",
    "name": "Fern & Kettle",
    "timezone": "Europe/London",
    "currency": "GBP",
    "attributes": {"first_name": {"kind": "text", "personal": True}},
    "events": {"product_viewed": {"properties": {"price": "number"}}, "signed_up": {}},
    "topics": {"marketing": {"name": "Letters", "kind": "marketing"}},
    "senders": {
        "letters": {"from": "Fern & Kettle <letters@shop.example>", "channel": "email"},
        "texts": {"from": "FernKettle", "channel": "sms"},
    },
    "quiet_hours": {"from": "21:00", "to": "08:00"},
    "legal_hours": [{"from": "09:00", "to": "20:00", "weekday": ["mon", "sat"], "country": "FR"}],
    "limits": [{"messages": 3, "per": "7d", "channel": "email"}, {"messages": 9, "per": "journey"}],
    "global_holdout": "2%",
    "retention": {"customer_event": "3y"},
}


def test_a_workspace_has_its_kinds_when_it_is_parsed() -> None:
    shop = parse_workspace(DOCUMENT)
    assert shop.attributes == {"first_name": AttributeSpec(ValueKind.TEXT, is_personal=True)}
    assert shop.events["product_viewed"].properties == {"price": ValueKind.NUMBER}
    letters = shop.get_sender("email")
    assert (letters.name, letters.address) == ("Fern & Kettle", "letters@shop.example")
    assert letters.mailbox == '"Fern & Kettle" <letters@shop.example>' or letters.mailbox.endswith("shop.example>")
    assert shop.get_sender("sms").address == "FernKettle"
    assert shop.quiet_hours is not None
    assert (shop.quiet_hours.start, shop.quiet_hours.end) == (time(21), time(8))
    assert shop.legal_hours[0].weekdays == {0, 5}
    assert [str(limit.per) for limit in shop.limits] == ["7d", "None"]
    assert shop.global_holdout == Decimal(2)
    with pytest.raises(NotFoundError, match="add it under `senders`"):
        shop.get_sender("voice")


def test_the_one_published_workspace_is_found(database: Database) -> None:
    with database.transaction() as connection:
        with pytest.raises(NotFoundError, match="postilion apply"):
            get_workspace(connection)
        publish(connection, "workspace", "shop", document=DOCUMENT, source="", file="workspace.yaml", now=NOW)
        assert get_workspace(connection) == parse_workspace(DOCUMENT)
        other = {**DOCUMENT, "workspace": "other"}
        publish(connection, "workspace", "other", document=other, source="", file="workspace.yaml", now=NOW)
        with pytest.raises(ConflictError, match="other, shop"):
            get_workspace(connection)
