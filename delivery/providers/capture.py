"""Writes what would be sent into a folder, for development: `.eml` for a mail, `.txt` and `.json` for the rest.

Nothing leaves the machine. A mail's file opens in any mail program.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from core.clock import Clock, SystemClock
from core.errors import InputError
from delivery.envelope import Envelope
from delivery.mime import write_mime
from delivery.providers.transport import Accepted, Reaction, TransportError

_ENDINGS = {"email": "eml", "webhook": "json"}
_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9_-]")


class CaptureTransport:
    """One channel's messages as files of `folder`, which is made when it is missing."""

    name = "capture"

    def __init__(self, channel: str, folder: Path, clock: Clock | None = None) -> None:
        self._channel = channel
        self._folder = folder
        self._clock = clock or SystemClock()

    @property
    def channel(self) -> str:
        return self._channel

    def send(self, envelope: Envelope) -> Accepted:
        """Write one file, all of it or nothing; a message that has its file keeps it."""
        file = self._folder / f"{_NO_FILE_NAME.sub('-', envelope.message_id)}.{_ENDINGS.get(self._channel, 'txt')}"
        try:
            content = self._content(envelope)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_once(file, content)
        except InputError as error:
            raise TransportError(Reaction.REJECT, "HeaderRefused", str(error)) from None
        except OSError as error:
            raise TransportError(Reaction.RETRY, type(error).__name__) from None
        return Accepted(f"captured-{envelope.message_id}")

    def read_rate(self) -> float | None:
        return None

    def _content(self, envelope: Envelope) -> bytes:
        if self._channel == "email":
            return write_mime(envelope, self._clock.now())
        if self._channel == "webhook":
            return envelope.text.encode()
        columns = {"to": envelope.recipient, "from": envelope.sender, **envelope.details}
        head = "".join(f"{name}: {' '.join(str(value).split())}\n" for name, value in columns.items())
        return f"{head}\n{envelope.text}\n".encode("utf-8", "replace")


def _write_once(file: Path, content: bytes) -> None:
    """`file` appears with all its content, for its owner alone, or not at all."""
    if file.exists():
        return
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
    draft.replace(file)
