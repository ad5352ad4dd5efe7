"""What is examined: the settings, and whatever of project, database and key store can be opened.

Opening is careful: a database that is not there is not made, and what cannot be opened is None, so that every other
check still has something to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from console.project import read_workspace_slug
from core.clock import Clock
from core.database import Database
from core.errors import PostilionError
from core.key_store import open_key_store
from core.settings import Settings
from customers.workspace import Workspace, get_workspace

_SQLITE = "sqlite:///"
_CONNECT_S = 4


@dataclass(frozen=True, slots=True)
class Patient:
    """`slug` is what the project's workspace.yaml says; `workspace` is what is published. `now` is the machine's."""

    settings: Settings
    now: datetime
    slug: str | None = None
    database: Database | None = None
    key_store: Database | None = None
    workspace: Workspace | None = None
    is_offline: bool = False

    @property
    def key_path(self) -> Path | None:
        return self.settings.key_path(self.slug) if self.slug else None


@contextmanager
def open_patient(settings: Settings, clock: Clock, *, is_offline: bool = False) -> Iterator[Patient]:
    """Whatever of it can be opened; never raises for what cannot."""
    with ExitStack() as opened:
        try:
            slug = read_workspace_slug(settings.project_folder)
        except (PostilionError, OSError):
            slug = None
        database = _open(opened, settings.database, Database)
        key_store = _open(opened, settings.keys_database, open_key_store)
        workspace = _published(database) if database is not None else None
        yield Patient(settings, clock.now(), slug, database, key_store, workspace, is_offline)


def file_of(url: str) -> Path | None:
    """The file of an SQLite address; None for a server."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def _open(opened: ExitStack, url: str, opener: Callable[[str], Database]) -> Database | None:
    file = file_of(url)
    if file is not None and not file.is_file():
        return None
    try:
        database = opener(url if file is not None else _impatient(url))
    except (PostilionError, SQLAlchemyError, OSError):
        return None
    return opened.enter_context(closing(database))


def _impatient(url: str) -> str:
    """The address of a server, given up after some seconds: an operator waits for the answer."""
    parsed = make_url(url)
    if "connect_timeout" not in parsed.query:
        parsed = parsed.update_query_dict({"connect_timeout": str(_CONNECT_S)})
    return parsed.render_as_string(hide_password=False)


def _published(database: Database) -> Workspace | None:
    try:
        with database.read() as connection:
            return get_workspace(connection)
    except (PostilionError, SQLAlchemyError, OSError):
        return None
