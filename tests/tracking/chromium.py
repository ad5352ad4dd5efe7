"""A real Chromium for tests: opened headless, spoken to by the DevTools protocol, closed with its folder."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from websockets.sync.client import connect
from websockets.sync.connection import Connection

_TIMEOUT_S = 30.0
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


class Tab:
    """One page. `complaints` are what its console and its network said went wrong, but no load that it gave up."""

    def __init__(self, socket: Connection, session: str) -> None:
        self._socket = socket
        self._session = session
        self._number = 1_000
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters, "sessionId": self._session}
        self._socket.send(json.dumps(command))
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, (method, told)
                return told["result"]

    def open(self, url: str, *, dark: bool = False, width: int = 1200) -> None:
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.resize(width, 800)
        self.ask("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def resize(self, width: int, height: int) -> None:
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def run(self, script: str) -> Any:
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        until = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < until:
            answer = self.ask("Runtime.evaluate", expression=condition, returnByValue=True)
            if "exceptionDetails" not in answer and answer["result"].get("value"):  # between two pages nothing is there
                return
            time.sleep(0.05)
        raise AssertionError(f"it never came true: {condition}")

    def press(self, key: str) -> None:
        """Tab, Enter, or a space, as a keyboard sends them."""
        code, text = {"Tab": (9, ""), "Enter": (13, "\r"), " ": (32, " ")}[key]
        common = {"key": key, "code": key.replace(" ", "Space"), "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        self.ask("Input.insertText", text=text)

    def shoot(self, file: Path, width: int) -> None:
        self.resize(width, 100)
        height = int(self.ask("Page.getLayoutMetrics")["cssContentSize"]["height"])
        self.resize(width, height)
        file.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def _next(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._socket.recv(timeout=_TIMEOUT_S))
        match told.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["params"]))
            case "Network.loadingFailed" if not told["params"].get("canceled"):
                self.complaints.append(json.dumps(told["params"]))
            case "Log.entryAdded" if told["params"]["entry"]["level"] in ("error", "warning"):
                self.complaints.append(told["params"]["entry"]["text"])
        return told


@contextmanager
def chromium() -> Iterator[Tab]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program is not None, "these tests need Chromium: apt install chromium"
    with TemporaryDirectory(prefix="postilion-chromium-", ignore_cleanup_errors=True) as folder:
        command = [program, *_OPTIONS, f"--user-data-dir={folder}"]
        silent: Any = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=silent, stderr=silent, start_new_session=True)
        try:
            with connect(_address(Path(folder)), max_size=None, proxy=None) as socket:
                yield _open_tab(socket)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _address(folder: Path) -> str:
    file, until = folder / "DevToolsActivePort", time.monotonic() + _TIMEOUT_S
    while time.monotonic() < until:
        lines = file.read_text().split() if file.is_file() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise AssertionError("Chromium did not start")


def _open_tab(socket: Connection) -> Tab:
    def ask(number: int, method: str, **parameters: Any) -> Any:
        socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (told := json.loads(socket.recv(timeout=_TIMEOUT_S))).get("id") != number:
            pass
        return told["result"]

    target = ask(1, "Target.createTarget", url="about:blank")["targetId"]
    return Tab(socket, ask(2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
