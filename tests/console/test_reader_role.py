"""What the doctor says of the role that previews and exports read with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import make_url, text

from console.doctor.finding import Level
from core.settings import Settings
from tests.console.test_doctor import only, opened, settings

__all__ = ["settings"]

ROLE = "postilion_doctor_reader"


@contextmanager
def reader(settings: Settings, *rights: str) -> Iterator[Settings]:
    """Settings with a reading role of its own, which has `rights`."""
    if settings.database.startswith("sqlite"):
        pytest.skip("SQLite has no roles")
    with opened(settings) as database, database.transaction() as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {ROLE}"))
        connection.execute(text(f"CREATE ROLE {ROLE} LOGIN"))
        for right in rights:
            connection.execute(text(f"GRANT {right} TO {ROLE}"))
    url = make_url(settings.database).set(username=ROLE).render_as_string(hide_password=False)
    try:
        yield replace(settings, reader_url=url)
    finally:
        with opened(settings) as database, database.transaction() as connection:
            connection.execute(text(f"DROP OWNED BY {ROLE}"))
            connection.execute(text(f"DROP ROLE {ROLE}"))


def test_a_role_that_may_only_read_is_fine(settings: Settings) -> None:
    with reader(settings, "SELECT ON ALL TABLES IN SCHEMA public") as reading:
        assert "cannot write" in only(reading, "reading role", Level.FINE).text


def test_a_role_that_may_write_is_warned_of(settings: Settings) -> None:
    rights = "SELECT ON ALL TABLES IN SCHEMA public", "UPDATE ON profile"
    with reader(settings, *rights) as reading:
        assert "may write, profile for one" in only(reading, "reading role", Level.WARNING).text


def test_a_role_that_may_not_read_is_wrong(settings: Settings) -> None:
    with reader(settings) as reading:
        assert "may not read customer_event" in only(reading, "reading role", Level.WRONG).text


def test_a_role_that_nobody_knows_is_wrong(settings: Settings) -> None:
    with reader(settings) as reading:
        url = reading.reader_url.replace(ROLE, "nobody_knows")
        assert "cannot read here" in only(replace(reading, reader_url=url), "reading role", Level.WRONG).text


def test_the_setting_is_noted_when_it_does_nothing(settings: Settings) -> None:
    if not settings.database.startswith("sqlite"):
        assert "read-only transactions" in only(settings, "reading role", Level.NOTE).text
        return
    useless = replace(settings, reader_url="postgresql://reader@127.0.0.1/shop")
    assert "does nothing" in only(useless, "reading role", Level.NOTE).text
