"""Pictures of a mail as a reader's screen shows it, by the Chromium that is installed; it reaches no network.

Spoken to by the DevTools protocol over two pipes, so that no port is open. Scripts do not run, the browser's profile is
a folder of its own that is gone afterwards, and addresses resolve to nothing: a picture shows what it is handed.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from core.errors import EnvironmentFaultError

WIDTHS = (600, 375)  # CSS pixels: the width that mails are laid out for, and a phone
MAX_HEIGHT = 12_000
TIMEOUT_S = 60.0

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
)
_ITS_INPUT, _ITS_OUTPUT = 3, 4  # the files by which Chromium wants the pipes


def find_chromium() -> str | None:
    """The program, where one is installed."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def take_pictures(html: str, widths: Sequence[int] = WIDTHS) -> dict[int, bytes]:
    """A PNG of the whole mail for each width, in CSS pixels, at twice the density.

    Raises EnvironmentFaultError when no Chromium is installed, or when it fails.
    """
    program = find_chromium()
    if program is None:
        raise EnvironmentFaultError(
            "A picture needs Chromium, and none is installed: install it (apt install chromium), or leave out --png."
        )
    with _browser(program) as browser:
        session = _open_page(browser, html)
        return {width: _shoot(browser, session, width) for width in widths}


class _Browser:
    """One conversation: commands out, their answers in; what else the browser tells is let go by."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._number = 0
        self._rest = b""
        self._until = time.monotonic() + TIMEOUT_S

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> Mapping[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        self._send(json.dumps(command).encode() + b"\0")
        while True:
            answer = json.loads(self._next())
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise EnvironmentFaultError(f"Chromium refused {method}: {answer['error'].get('message')}.")
                result: Mapping[str, Any] = answer["result"]
                return result

    def _send(self, message: bytes) -> None:
        while message:
            message = message[os.write(self._writes, message) :]

    def _next(self) -> bytes:
        while b"\0" not in self._rest:
            left = self._until - time.monotonic()
            ready = select.select([self._reads], [], [], max(0.0, left))[0]
            received = os.read(self._reads, 1 << 20) if ready else b""
            if not received:
                cause = "it ended" if ready else f"it took longer than {TIMEOUT_S:.0f} s"
                raise EnvironmentFaultError(f"Chromium made no picture: {cause}. Try again, or leave out --png.")
            self._rest += received
        message, _, self._rest = self._rest.partition(b"\0")
        return message


@contextmanager
def _browser(program: str) -> Iterator[_Browser]:
    options = [*_OPTIONS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]  # as root it would not start otherwise
    with TemporaryDirectory(prefix="postilion-preview-", ignore_cleanup_errors=True) as profile:
        # It has no business with our settings, among which there are secrets.
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": profile, "LANG": "C.UTF-8"}
        reads, writes, process = _start([program, *options, f"--user-data-dir={profile}"], environment)
        try:
            yield _Browser(reads, writes)
        finally:
            os.killpg(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(reads)
            os.close(writes)


def _start(command: list[str], environment: Mapping[str, str]) -> tuple[int, int, int]:
    """The files from which to read and to which to write, and the process, which leads a group of its own."""
    its_input, writes = _pipe()
    reads, its_output = _pipe()
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    pipes = [(os.POSIX_SPAWN_DUP2, its_input, _ITS_INPUT), (os.POSIX_SPAWN_DUP2, its_output, _ITS_OUTPUT)]
    process = os.posix_spawn(command[0], command, environment, file_actions=[*nothing, *pipes], setpgroup=0)
    os.close(its_input)
    os.close(its_output)
    return reads, writes, process


def _pipe() -> tuple[int, int]:
    """A pipe whose files stand above those that the browser shall have."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _open_page(browser: _Browser, html: str) -> str:
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    session: str = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    browser.ask("Emulation.setScriptExecutionDisabled", session, value=True)
    frame = browser.ask("Page.getFrameTree", session)["frameTree"]["frame"]["id"]
    _resize(browser, session, WIDTHS[0], 800)
    browser.ask("Page.setDocumentContent", session, frameId=frame, html=html)
    return session


def _shoot(browser: _Browser, session: str, width: int) -> bytes:
    _resize(browser, session, width, 100)
    size = browser.ask("Page.getLayoutMetrics", session)["cssContentSize"]
    height = min(MAX_HEIGHT, max(100, int(size["height"])))
    _resize(browser, session, width, height)
    picture: str = browser.ask("Page.captureScreenshot", session, format="png")["data"]
    return base64.b64decode(picture)


def _resize(browser: _Browser, session: str, width: int, height: int) -> None:
    browser.ask(
        "Emulation.setDeviceMetricsOverride", session, width=width, height=height, deviceScaleFactor=2, mobile=False
    )
