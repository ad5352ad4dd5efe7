"""PostgreSQL for the tests: a private cluster in a temporary folder, on a free port, trusting 127.0.0.1.

One cluster serves a whole run, however many processes share it; the first test that needs it starts it, and
it ends with the process that holds it, even when that one is killed. `python -m tests.databases` installs
Debian's package where it is missing; the tests themselves install nothing.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.programs import MissingProgramError, install_packages, works

_DEBIAN = Path("/usr/lib/postgresql")
_CLUSTER_DEFAULTS = Path("/etc/postgresql-common/createcluster.d/no-main-cluster-for-tests.conf")
INSTALL_BY_HAND = "sudo apt-get install -y postgresql"

# The order of words and the hour are foreign on purpose: what forgets COLLATE "C" or UTC shall fail here.
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = '32MB'
max_connections = 200
timezone = 'Asia/Kathmandu'
"""


def find_programs() -> Path | None:
    """The folder with the newest `initdb` and `pg_ctl` of this machine; Debian keeps them off the PATH."""
    installed = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda program: float(program.parts[-3]))
    if installed:
        return installed[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def install() -> Path:
    """Installs Debian's PostgreSQL without the server that the package would start on port 5432."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and not works([*sudo, "true"]):
        raise MissingProgramError(f"PostgreSQL is missing and may not be installed from here; run: {INSTALL_BY_HAND}")
    subprocess.run([*sudo, "mkdir", "-p", _CLUSTER_DEFAULTS.parent], check=True)
    subprocess.run(
        [*sudo, "tee", _CLUSTER_DEFAULTS],
        input=b"create_main_cluster = false\n",
        check=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        install_packages("postgresql")
    finally:
        subprocess.run([*sudo, "rm", "-f", _CLUSTER_DEFAULTS], check=True)
    programs = find_programs()
    if programs is None:
        raise MissingProgramError(f"Debian's package brought no initdb to {_DEBIAN}; run: {INSTALL_BY_HAND}")
    return programs


@contextmanager
def cluster_folder() -> Iterator[Path]:
    """A folder in which one cluster may be started; leaving it, or dying, stops and removes the cluster."""
    folder = Path(tempfile.mkdtemp(prefix="postilion-tests-"))
    folder.chmod(0o711)
    try:
        with (folder / "alive").open("w") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)
            yield folder
        for _ in range(200):
            if not (folder / "url").exists():
                break
            time.sleep(0.05)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cluster_url(folder: Path, programs: Path) -> str:
    """The address of the cluster in `folder`; the first process that asks starts it, the others wait."""
    with (folder / "starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        address = folder / "url"
        if not address.exists():
            url = _start(folder, programs)
            _stop_when_nobody_holds(folder)
            address.write_text(url)
        return address.read_text()


def _start(folder: Path, programs: Path) -> str:
    data = folder / "data"
    data.mkdir(mode=0o700)
    account = _account()
    if account:
        os.chown(data, account["user"], account["group"])
    locale = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-GB"]
    options = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", *locale]
    _run([programs / "initdb", "-D", data, *options], folder)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(_CONFIGURATION)
    for attempt in range(3):
        port = _free_port()
        try:
            _run(
                [
                    programs / "pg_ctl",
                    "-D",
                    data,
                    "-w",
                    "-t",
                    "60",
                    "-l",
                    data / "log",
                    "-o",
                    f"-p {port}",
                    "start",
                ],
                folder,
            )
        except RuntimeError:
            # Somebody may have taken the port between our look and the server's.
            if attempt == 2:
                raise
        else:
            return f"postgresql://postgres@127.0.0.1:{port}/postgres"
    raise AssertionError("unreachable")


def _stop_when_nobody_holds(folder: Path) -> None:
    """Leaves a waiting process behind that ends the server as soon as the lock on `alive` is free.

    The kernel frees it when its holder ends, whether by its last line, by Ctrl-C or by `kill -9`.
    """
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    home = shlex.quote(str(folder))
    end = f"kill -INT {server}; while kill -0 {server}; do sleep 0.05; done; rm -rf {home}"
    subprocess.run(
        ["sh", "-c", f"flock {home}/alive sh -c {shlex.quote(end)} &"],
        check=True,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _account() -> dict[str, Any]:
    """Whom PostgreSQL runs as: it refuses root, so then as the package's user or as nobody."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _run(command: list[str | Path], folder: Path) -> None:
    output = folder / "output"
    with output.open("w") as sink:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            **_account(),
        )
    if done.returncode:
        log = folder / "data" / "log"
        said = output.read_text() + (log.read_text() if log.exists() else "")
        raise RuntimeError(f"{Path(command[0]).name} failed: {said.strip()[-1500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    try:
        programs = find_programs() or install()
    except MissingProgramError as error:
        # Only the gate insists: a person without PostgreSQL still gets the tests on SQLite.
        print(error, file=sys.stderr)
        return 3 if os.environ.get("CI") else 0
    print(f"PostgreSQL for the tests: {programs}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
