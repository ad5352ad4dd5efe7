"""What every command starts from: the options given before its name, and the runtime they lead to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from core.clock import Clock, ShiftedClock, SystemClock
from core.errors import InputError, NotFoundError
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.runtime import Runtime
    from customers.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Options:
    """The options that stand before the command's name."""

    project: str | None = None
    now: str | None = None

    @property
    def settings(self) -> Settings:
        return load_settings(project=self.project)

    @property
    def clock(self) -> Clock:
        return ShiftedClock(parse_instant(self.now)) if self.now else SystemClock()


def options_of(context: typer.Context) -> Options:
    options = context.find_object(Options)
    return options if options is not None else Options()


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant; a date is its midnight, and no zone means UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is no instant: write it as 2026-06-10 or 2026-06-10T08:00+02:00.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@contextmanager
def open_workspace(context: typer.Context) -> Iterator[tuple[Runtime, Workspace]]:
    """The runtime and the published workspace; raises with the way out when something is missing."""
    from console.project import read_workspace_slug
    from console.rights.replay import replay_erasures
    from core.log import configure_logging
    from core.runtime import open_runtime
    from customers.workspace import get_workspace

    options = options_of(context)
    settings = options.settings
    configure_logging(settings.log_level)
    with open_runtime(settings, read_workspace_slug(settings.project_folder), options.clock) as runtime:
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
        replay_erasures(runtime, runtime.clock.now())
        yield runtime, workspace


def require_project(settings: Settings) -> None:
    """Raise when the folder is no project."""
    if not (settings.project_folder / "workspace.yaml").is_file():
        raise NotFoundError(
            f"{settings.project_folder} has no workspace.yaml: go to your project folder, "
            "name it with --project, or make one with `postilion init FOLDER`."
        )


def is_terminal() -> bool:
    """Is a person looking at the output?"""
    return sys.stderr.isatty()
