"""Published definitions: a version a content, nothing new for the same content."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from core.database import Database
from core.definitions import Publication, get_definition, list_definitions, publish, withdraw
from core.errors import NotFoundError

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)


def put(connection: Connection, document: Any, source: str = "x") -> Publication:
    return publish(
        connection, "segment", "loyal", document=document, source=source, file="segments/loyal.yaml", now=NOW
    )


def test_same_content_is_no_new_version_when_only_its_layout_changed(database: Database) -> None:  # 80
    with database.transaction() as connection:
        first = put(connection, {"a": 1, "b": [2]}, "a: 1\nb: [2]")
        again = put(connection, {"a": 1, "b": [2]}, "# note\na: 1\n\nb:\n  - 2")
        changed = put(connection, {"a": 2, "b": [2]})
    assert [first.is_new, again.is_new, changed.is_new] == [True, False, True]
    assert changed.published.version == 2


def test_keys_keep_their_order_when_published(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, {"variants": {"z": 1, "a": 2, "m": 3}})
        assert list(get_definition(connection, "segment", "loyal").document["variants"]) == ["z", "a", "m"]
        assert put(connection, {"variants": {"a": 2, "z": 1, "m": 3}}).is_new  # other ranges for the same arms


def test_old_version_stays_readable_when_a_newer_one_is_in_force(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, {"a": 1})
        put(connection, {"a": 2})
        assert get_definition(connection, "segment", "loyal").document == {"a": 2}
        assert get_definition(connection, "segment", "loyal", 1).document == {"a": 1}
        assert [one.version for one in list_definitions(connection, "segment")] == [2]


def test_withdrawn_one_is_not_in_force_until_it_is_published_again(database: Database) -> None:
    with database.transaction() as connection:
        put(connection, {"a": 1})
        withdraw(connection, "segment", "loyal", NOW)
        assert list_definitions(connection, "segment") == []
        with pytest.raises(NotFoundError, match="postilion apply"):
            get_definition(connection, "segment", "loyal")
        assert put(connection, {"a": 1}).published.version == 2
        assert len(list_definitions(connection, "segment")) == 1
