"""What the checker asks a database: which events there are, and which journeys are in force."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from console.check import check_project
from console.checking.data import Seen, iter_event_names, look
from console.checking.pinned import check_pins, newest_versions
from console.project import load_project
from core.database import Database
from core.definitions import publish
from core.settings import load_settings
from customers.tables import customer_event

NOW = datetime(2026, 6, 1, tzinfo=UTC)
JOURNEY = "journey: x\nenter: {event: tasted}\nsteps: [{set: {points: 1}}]\n"


def test_each_name_is_told_once_in_order_however_many_events_there_are(database: Database) -> None:
    names = ["tasted", "signed_up", "tasted", "tasted", "cart_updated"]
    with database.transaction() as connection:
        rows = [
            {"id": number, "name": name, "occurred_at": NOW, "received_at": NOW, "source": "test"}
            for number, name in enumerate(names, start=1)
        ]
        connection.execute(insert(customer_event), rows)
        assert list(iter_event_names(connection)) == ["cart_updated", "signed_up", "tasted"]


def test_nothing_was_seen_when_there_is_no_database(tmp_path: Path) -> None:
    settings = load_settings({}, database_url=f"sqlite:///{tmp_path}/none.db")
    assert look(settings) == Seen()
    assert not (tmp_path / "none.db").exists()


def test_an_event_is_not_called_unknown_when_the_data_has_it(tmp_path: Path) -> None:
    (tmp_path / "journeys").mkdir()
    (tmp_path / "workspace.yaml").write_text("workspace: shop\ntimezone: UTC\ncurrency: GBP\n")
    (tmp_path / "journeys" / "x.yaml").write_text(JOURNEY)
    project = load_project(tmp_path)
    assert [fault.code for fault in check_project(project).faults] == ["W201"]
    assert check_project(project, seen={"tasted"}).faults == ()


def test_a_version_of_a_template_must_have_been_published_or_be_the_next(tmp_path: Path, database: Database) -> None:
    (tmp_path / "journeys").mkdir()
    (tmp_path / "workspace.yaml").write_text("workspace: shop\ntimezone: UTC\ncurrency: GBP\n")
    (tmp_path / "journeys" / "x.yaml").write_text(
        "journey: x\nenter: {event: tasted}\nsteps:\n"
        "  - email: hello@3\n  - email: {split: {a: hello@2, b: hello@4}}\n  - sms: never@2\n  - sms: never@1\n"
    )
    with database.transaction() as connection:
        for number in range(2):
            publish(
                connection, "template", "hello", document={"text": number}, source="", file="templates/hello", now=NOW
            )
        versions = newest_versions(connection)
    assert versions == {"hello": 2}
    assert list(map(str, check_pins(load_project(tmp_path), versions))) == [
        "journeys/x.yaml:5:36: E120 there is no version 4 of the template 'hello', the newest is hello@2",
        "journeys/x.yaml:6:10: E120 there is no version 2 of the template 'never', write never@1 for the first",
    ]
