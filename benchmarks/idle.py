"""What `postilion up` costs while nothing happens: the processor time of all its processes, from /proc, so on Linux."""

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
from pathlib import Path

from core.settings import child_environment, load_settings

ROOT = Path(__file__).resolve().parent.parent
_FOLDERS = ("segments", "offers", "campaigns", "journeys", "templates")
_READY = b"Ctrl-C"
_START_S, _STOP_S = 180, 20
_SETTLE_S = 60  # first runs, first looks, and the server's own first rounds
_TICKS = os.sysconf("SC_CLK_TCK")


def measure(seconds: int) -> dict[str, float]:
    """Percent of one core over `seconds` after settling, and beside it that of a process that only sleeps."""
    with tempfile.TemporaryDirectory() as folder:
        environment = _prepare(Path(folder))
        output = Path(folder) / "up.out"
        with output.open("wb") as out:
            command = [sys.executable, "-m", "cli.main", "up"]
            up = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        bare = subprocess.Popen(
            [sys.executable, "-c", f"import time; time.sleep({_START_S + _SETTLE_S + 2 * seconds})"]
        )
        try:
            _wait(up, output)
            time.sleep(_SETTLE_S)
            before, started = (_cpu(up.pid), _cpu(bare.pid)), time.monotonic()
            time.sleep(seconds)
            length = time.monotonic() - started
            used = _cpu(up.pid) - before[0], _cpu(bare.pid) - before[1]
        finally:
            bare.kill()
            bare.wait()
            up.send_signal(signal.SIGINT)
            up.wait(_STOP_S)
    return {"idle_cpu_percent": 100 * used[0] / length, "bare_idle_cpu_percent": 100 * used[1] / length}


def _prepare(folder: Path) -> dict[str, str]:
    """The example shop, published, with nobody in it."""
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
    return environment


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
