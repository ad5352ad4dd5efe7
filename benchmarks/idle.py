"""What `postilion up` costs while nothing happens: the processor time of all its processes, from /proc, so on Linux.

Two figures, because a scheduled run is a fresh Python: a stretch in which nothing is scheduled, and an average hour
with all the runs that this project has by itself, from the measured cost of one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from core.settings import child_environment, load_settings

ROOT = Path(__file__).resolve().parent.parent
_FOLDERS = ("segments", "offers", "campaigns", "journeys", "templates")
_READY = b"Ctrl-C"
_START_S, _STOP_S = 180, 20
_RUN_S = 30  # a run begins within ten seconds and lasts three
_LONGEST_S = 1_200
_HOURLY = (2, 5)  # the minutes of cli/serving/deployments.py: segments, housekeeping; and the heartbeat every ten
_RUNS_AN_HOUR = 8
_BUSY = 503
_SETTLE_S = 45  # first runs, first looks, and the server's own first rounds
_TICKS = os.sysconf("SC_CLK_TCK")


def measure(seconds: int) -> dict[str, float]:
    """Percent of one core over `seconds` after settling, and beside it that of a process that only sleeps.

    `idle_hour_percent` adds the runs of an hour, `run_cpu_seconds` each.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment, prefect_port = _prepare(Path(folder))
        output = Path(folder) / "up.out"
        with output.open("wb") as out:
            command = [sys.executable, "-m", "cli.main", "up"]
            up = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        bare = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({_LONGEST_S + seconds})"])
        try:
            _wait(up, output)
            time.sleep(_SETTLE_S)
            _wait_for_quiet(seconds + _RUN_S)
            idle, bare_idle = _percent([up.pid, bare.pid], seconds)
            _start_run(prefect_port)
            (with_run,) = _percent([up.pid], _RUN_S)
        finally:
            bare.kill()
            bare.wait()
            up.send_signal(signal.SIGINT)
            up.wait(_STOP_S)
    run_cpu_s = (with_run - idle) / 100 * _RUN_S
    return {
        "idle_cpu_percent": idle,
        "bare_idle_cpu_percent": bare_idle,
        "idle_hour_percent": idle + 100 * _RUNS_AN_HOUR * run_cpu_s / 3600,
        "run_cpu_seconds": run_cpu_s,
    }


def _percent(roots: list[int], seconds: int) -> list[float]:
    """How much of one core each of `roots` and its family used over the next `seconds`."""
    before, started = [_cpu(root) for root in roots], time.monotonic()
    time.sleep(seconds)
    length = time.monotonic() - started
    return [100 * (_cpu(root) - used) / length for root, used in zip(roots, before, strict=True)]


def _wait_for_quiet(seconds: int) -> None:
    """Wait until nothing is scheduled for `seconds`: runs begin at whole minutes that are known."""
    while True:
        minute, second = divmod(time.time() % 3600, 60)
        ahead = range(int(minute), int(minute + (second + seconds) // 60) + 1)
        if not any(moment % 10 == 0 or moment in _HOURLY for moment in ahead):
            return
        time.sleep(1)


def _start_run(port: int) -> None:
    """Ask Prefect for one housekeeping run, which finds nothing to do."""
    found = _ask(port, "/api/deployments/filter", {})
    deployment = next(one["id"] for one in found if one["name"] == "shop-housekeeping")
    _ask(port, f"/api/deployments/{deployment}/create_flow_run", {})


def _ask(port: int, path: str, body: dict[str, Any]) -> Any:
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        if response.status != _BUSY:
            return answer
        time.sleep(1)


def _prepare(folder: Path) -> tuple[dict[str, str], int]:
    """The example shop, published, with nobody in it: the environment for `up`, and the port of its Prefect server."""
    shop = ROOT / "examples" / "shop"
    for name in _FOLDERS:
        shutil.copytree(shop / name, folder / "shop" / name)
    shutil.copyfile(shop / "workspace.yaml", folder / "shop" / "workspace.yaml")
    settings = load_settings(
        {},  # whatever this machine has set
        project=str(folder / "shop"),
        key_file=str(folder / "shop.key"),
        port=str(_free_port()),
        prefect_port=str(_free_port()),
    )
    environment = child_environment(settings, PYTHONPATH=str(ROOT))
    for command in ("init", "apply"):
        subprocess.run(
            [sys.executable, "-m", "cli.main", command],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return environment, settings.prefect_port_number


def _wait(up: subprocess.Popen[bytes], output: Path) -> None:
    end = time.monotonic() + _START_S
    while _READY not in output.read_bytes():
        if up.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"`postilion up` did not start: {output.read_text()}")
        time.sleep(0.2)


def _cpu(root: int) -> float:
    """Seconds used by `root` and all below it, with those of children that have ended."""
    found = _processes()
    family = {root}
    while more := {pid for pid, (parent, _) in found.items() if parent in family} - family:
        family |= more
    return sum(found[pid][1] for pid in family if pid in found)


def _processes() -> dict[int, tuple[int, float]]:
    """Parent and seconds of every process."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        found[int(file.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / _TICKS
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    print(json.dumps(measure(60)))
