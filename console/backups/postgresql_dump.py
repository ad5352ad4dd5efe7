"""Copies of a PostgreSQL database by its own programs: `pg_dump`, and `pg_restore` into one transaction of `psql`.

The password goes by the environment: a command line can be read by everybody on the machine.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from core.errors import EnvironmentFaultError
from core.settings import Settings, child_environment

SCHEMA = "public"
_DEBIAN = Path("/usr/lib/postgresql")
_BLOCK = 1 << 16


def dump(connection: Connection, settings: Settings, url: URL, tables: Sequence[str], target: Path) -> None:
    """Write `tables` as `connection` sees them to `target`; its transaction must be repeatable and hold no writes."""
    program = _find("pg_dump")
    _check_version(connection, program)
    snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
    wanted = [f"--table={SCHEMA}.{name}" for name in tables]
    command = [
        program, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *wanted,
        f"--file={target}", f"--dbname={_address(url)}",
    ]  # fmt: skip
    done = subprocess.run(
        command, env=_environment(settings, url), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise _failed("pg_dump", done.stderr)


def restore(settings: Settings, url: URL, dumped: Path, *, before: str, after: str) -> None:
    """Run the SQL `before`, everything in `dumped` and the SQL `after` as one transaction: all of it or nothing.

    COMMIT is sent last and by us. Whatever ends this process before it closes psql's input without one, and the
    server rolls everything back.
    """
    environment = _environment(settings, url)
    script = [_find("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dumped)]
    psql = [_find("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={_address(url)}"]
    with (
        TemporaryFile() as told_by_reader,
        TemporaryFile() as told_by_writer,
        subprocess.Popen(script, env=environment, stdout=subprocess.PIPE, stderr=told_by_reader) as reader,
        subprocess.Popen(
            psql, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=told_by_writer
        ) as writer,
    ):
        has_given_up = not _pass_on(reader, writer, before, after)
        if writer.wait() or has_given_up:
            raise _failed("psql", _read(told_by_writer))
        if reader.wait():
            raise _failed("pg_restore", _read(told_by_reader))


def _pass_on(reader: subprocess.Popen[bytes], writer: subprocess.Popen[bytes], before: str, after: str) -> bool:
    """Everything into psql's input, COMMIT only when the dump was read to its end; False when psql gave up before."""
    assert reader.stdout is not None
    assert writer.stdin is not None
    try:
        writer.stdin.write(f"BEGIN;\n{before}\n".encode())
        shutil.copyfileobj(reader.stdout, writer.stdin, _BLOCK)
        if reader.wait() == 0:
            writer.stdin.write(f"\n{after}\nCOMMIT;\n".encode())
        writer.stdin.close()
    except BrokenPipeError:
        reader.kill()
        with suppress(BrokenPipeError):
            writer.stdin.close()
        return False
    return True


def _check_version(connection: Connection, program: str) -> None:
    server = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\b(\d+)(?:\.\d+)?", said)
    if found is None or int(found[1]) < server:
        have = found[1] if found else "of no known version"
        raise EnvironmentFaultError(
            f"pg_dump is {have} and the server is PostgreSQL {server}: "
            f"install its client programs, such as `apt install postgresql-client-{server}`."
        )


def _find(program: str) -> str:
    """Debian keeps the newest ones off the PATH."""
    newest = max(_DEBIAN.glob(f"*/bin/{program}"), key=lambda path: float(path.parts[-3]), default=None)
    found = str(newest) if newest is not None else shutil.which(program)
    if found is None:
        raise EnvironmentFaultError(
            f"{program} is not installed: install PostgreSQL's client programs, such as "
            "`apt install postgresql-client`, in a version not older than the server."
        )
    return found


def _address(url: URL) -> str:
    """The database, without the password."""
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string(hide_password=False)


def _environment(settings: Settings, url: URL) -> dict[str, str]:
    return child_environment(settings, **({"PGPASSWORD": str(url.password)} if url.password else {}))


def _read(told: IO[bytes]) -> str:
    told.seek(0)
    return told.read().decode(errors="replace")


def _failed(program: str, complaint: str) -> EnvironmentFaultError:
    lines = [line for line in complaint.strip().splitlines() if line]
    return EnvironmentFaultError(f"{program} failed, and nothing was changed: {lines[0] if lines else 'no reason'}")
