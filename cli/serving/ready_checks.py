"""What must be so before `postilion up` starts anything: each fault is one sentence with the way out."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from console.project import read_workspace_slug
from console.rights.replay import replay_erasures
from core.errors import EnvironmentFaultError, NotFoundError, PostilionError
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from customers.workspace import Workspace, get_workspace


def check_ready(settings: Settings, ports: Iterable[tuple[str, str, int]]) -> str:
    """The workspace's name, when project, key, database, publication and `ports` (setting, host, number) are fine."""
    try:
        slug = read_workspace_slug(settings.project_folder)
    except NotFoundError as error:
        raise EnvironmentFaultError(str(error)) from None
    for setting, host, port in ports:
        _check_free(setting, host, port)
    with open_runtime(settings, slug) as runtime:
        published = _check_published(runtime)
        replay_erasures(runtime, runtime.clock.now())
    if published.slug != slug:
        raise EnvironmentFaultError(
            f"the database holds the workspace {published.slug!r} and the project is {slug!r}: "
            "run `postilion apply`, or set POSTILION_DATABASE_URL."
        )
    return slug


def _check_published(runtime: Runtime) -> Workspace:
    with runtime.database.read() as connection:
        head = ScriptDirectory(str(migrations.FOLDER)).get_current_head()
        if MigrationContext.configure(connection).get_current_revision() != head:
            place = runtime.database.url.render_as_string(hide_password=True)
            raise EnvironmentFaultError(f"the database {place} is not up to date: run `postilion apply`.")
        try:
            return get_workspace(connection)
        except PostilionError:
            raise EnvironmentFaultError("nothing is published yet: run `postilion apply`, then `up` again.") from None


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the state folder while the block runs: two engines must not share it. The lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentFaultError(
                f"`postilion up` is already running with {folder}: end it first, or choose another POSTILION_STATE."
            ) from None
        yield


def _check_free(setting: str, host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise EnvironmentFaultError(
                f"the port {host}:{port} cannot be used ({error.strerror}): "
                f"end what uses it, perhaps another `postilion up`, or choose another {setting}."
            ) from None
