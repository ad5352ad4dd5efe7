"""Marked values go in by every entrance, and stand nowhere in clear."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from core.database import Database
from core.log import configure_logging
from core.runtime import Runtime
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind, customer_event, import_batch, profile
from delivery.tables import message
from journeys.tables import enrolment
from tests import canary
from tests.canary_shop import (
    MARK,
    NOW,
    PHONE,
    WORDS,
    call_everything,
    email,
    import_everything,
    opened,
    send_and_report,
    set_a_task,
)
from tracking.tables import quarantine


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Everything that a process of ours would log at its most talkative."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logging("DEBUG")
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = StringIO()
    handler.setStream(written)
    yield written
    root.handlers[:] = before
    root.setLevel(level)


def test_nothing_stands_in_clear_when_it_came_in_by_any_entrance(
    tmp_path: Path, database_url: str, log: StringIO
) -> None:
    with opened(tmp_path / "ours", database_url) as runtime:
        import_everything(runtime, tmp_path / "given")
        call_everything(runtime)
        assert send_and_report(runtime).claimed >= 1
        set_a_task(runtime)
        _check_that_it_came_in(runtime)
        while_running = canary.search(WORDS, _paths(tmp_path, database_url), [database_url])
    assert while_running == []
    said = log.getvalue()
    assert "httpx" in said
    assert canary.search(WORDS, _paths(tmp_path, database_url), [database_url], said) == []


@pytest.mark.parametrize("place", ["table", "file", "name", "log"])
def test_a_value_in_clear_is_found_when_there_is_one(tmp_path: Path, database_url: str, place: str) -> None:
    logs, ours = "", tmp_path / "ours"
    ours.mkdir()
    if place == "table":
        database = Database(database_url)
        with database.transaction() as connection:
            row = {
                "key": "k",
                "kind": "profiles",
                "file": f"{email('planted')}.csv",
                "status": "done",
                "started_at": NOW,
            }
            connection.execute(insert(import_batch).values(**row))
        database.close()
    elif place == "file":
        (ours / "left_behind").write_bytes(b"\0" * 70_000 + email("planted").encode("utf-16-le"))
    elif place == "name":
        (ours / f"{MARK}.csv").touch()
    else:
        logs = f"sent to {email('planted')}"
    hits = canary.search(WORDS, [tmp_path], [database_url], logs)
    assert {hit.word for hit in hits} == {MARK}


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("utf-8", email("alice").encode()),
        ("utf-8", email("alice").upper().encode()),
        ("utf-16", email("alice").encode("utf-16-be")),
        ("hex", email("alice").encode().hex().encode()),
        ("base64", base64.b64encode(email("alice").encode())),
        ("base64", base64.b64encode(b"x" + email("alice").encode())),
        ("base64", base64.b64encode(b"xx" + email("alice").encode())),
        ("utf-8", f"call {PHONE} now".encode()),
    ],
)
def test_a_value_is_found_however_it_is_written(tmp_path: Path, spelling: str, text: bytes) -> None:
    (tmp_path / "file").write_bytes(b"\xff" * (8 * 1024 * 1024 - 20) + text)  # across the border of two readings
    assert {hit.spelling for hit in canary.search(WORDS, [tmp_path])} == {spelling}


def _paths(folder: Path, database_url: str) -> list[Path]:
    """Everything but the files that a person made and handed over."""
    file = Path(database_url.removeprefix("sqlite:///"))
    beside = sorted(file.parent.glob(f"{file.name}*")) if database_url.startswith("sqlite") else []
    keys = sorted(folder.glob("keys.db*"))
    return [folder / "ours", *beside, *keys]


def _check_that_it_came_in(runtime: Runtime) -> None:
    """A search that finds nothing means something only when everything is there."""
    with runtime.database.read() as connection:
        for table, expected in ((profile, 5), (customer_event, 6), (message, 1), (enrolment, 1), (quarantine, 2)):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() >= expected, table.name
        web = find_profile(connection, runtime.vault, IdentityKind.EXTERNAL_ID, "web")
        assert web is not None
        opened_profile = get_profile(connection, runtime.vault, web)
        assert opened_profile.email is not None
        assert MARK in opened_profile.email.value
        assert opened_profile.attributes["first_name"] == MARK
