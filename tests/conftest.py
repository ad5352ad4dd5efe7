"""What every test may ask for: databases with our schema, a still clock, golden files, and no network.

People and other business fixtures live beside the tests that need them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import migrations
from core.clock import ManualClock
from core.database import Database
from tests import databases
from tests.copies import Copies

GOLDEN = Path(__file__).parent / "golden"
_CLUSTER = pytest.StashKey[Path]()
_AT_END = pytest.StashKey[ExitStack]()
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "", None, b"localhost", b"127.0.0.1"})

# A shared machine is sometimes slow, and that is no fault of the code.
hypothesis.settings.register_profile("postilion", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("postilion")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite the golden files instead of comparing with them")


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(_refuse_the_network)
    at_end = config.stash[_AT_END] = ExitStack()
    given = getattr(config, "workerinput", None)
    config.stash[_CLUSTER] = Path(given["cluster"]) if given else at_end.enter_context(databases.cluster_folder())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Gives each worker process of pytest-xdist a cluster of its own.

    A transaction that runs in another database of the same cluster delays readers of a cursor (core/cursors.py), and a
    test that expects to read at once would now and then find nothing.
    """
    cluster = node.config.stash[_AT_END].enter_context(databases.cluster_folder())
    node.workerinput["cluster"] = str(cluster)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_AT_END].close()


class NetworkRefusedError(RuntimeError):
    """A test reached for a machine that is not this one."""


def _refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in _LOOPBACK:
        raise NetworkRefusedError(f"a test reached for {host!r}; only this machine may be spoken to")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with our whole schema and no row, to be copied."""
    file = tmp_path_factory.mktemp("template") / "postilion.db"
    migrations.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_url(request: pytest.FixtureRequest) -> str:
    """The maintenance database of the run's private cluster; skips the test where there is no PostgreSQL."""
    programs = databases.find_programs()
    if programs is None:
        reason = f"PostgreSQL is not installed; run: {databases.INSTALL_BY_HAND}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return databases.cluster_url(request.config.stash[_CLUSTER], programs)


@pytest.fixture(scope="session")
def postgresql_copies(postgresql_url: str, request: pytest.FixtureRequest) -> Iterator[Copies]:
    """Where this test process takes its PostgreSQL databases from."""
    copies = Copies(postgresql_url, owner=getattr(request.config, "workerinput", {}).get("workerid", "main"))
    yield copies
    copies.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database with our schema, once on each engine."""
    if request.param == "sqlite":
        file = tmp_path / "postilion.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
    else:
        copies: Copies = request.getfixturevalue("postgresql_copies")
        url = copies.take()
        yield url
        copies.give_back(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database with our schema, once on each engine."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """Stands at 08:00 UTC on a Wednesday in June 2026."""
    return ManualClock(datetime(2026, 6, 10, 8, tzinfo=UTC))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with `tests/golden/<name>`; with `--golden` it writes the file instead."""

    def compare(name: str, actual: str) -> None:
        file = GOLDEN / name
        if request.config.getoption("--golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(actual, encoding="utf-8")
            return
        if not file.exists():
            pytest.fail(f"tests/golden/{name} is missing; run `make golden` and review what it writes", pytrace=False)
        assert actual == file.read_text(encoding="utf-8")

    return compare
