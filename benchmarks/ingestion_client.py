"""A client that costs little: HTTP/1.1 over kept connections, each sending its next request when it has its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvloop

Requests = Iterator[tuple[object, bytes]]  # what it is known by, and its bytes
Answered = Callable[[object, int], None]


@dataclass(slots=True)
class Load:
    """What `connections` clients send, in turn, until there is no more or the server is gone."""

    port: int
    requests: Requests
    connections: int
    answered: Answered
    per_s: float = 0  # requests a second in total; 0 is as fast as they are answered
    limit_s: float = 120

    def run(self) -> None:
        uvloop.run(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        ends = []
        for place in range(self.connections):
            end = loop.create_future()
            try:
                await loop.create_connection(partial(_Client, self, end, place), "127.0.0.1", self.port)
            except OSError:
                break
            ends.append(end)
        if ends:
            await asyncio.wait(ends, timeout=self.limit_s)


class _Client(asyncio.Protocol):
    def __init__(self, load: Load, end: asyncio.Future[None], place: int) -> None:
        self._load = load
        self._end = end
        self._buffer = b""
        self._name: object = None
        self._loop = asyncio.get_running_loop()
        self._pause_s = load.connections / load.per_s if load.per_s else 0.0
        self._due = self._loop.time() + self._pause_s * place / load.connections  # not all in the same instant

    def connection_made(self, transport: Any) -> None:  # uvloop's are no asyncio.Transport
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._buffer.find(b"content-length: ", 0, head) + 16
        length = int(self._buffer[at : self._buffer.find(b"\r\n", at)]) if at > 15 else 0
        if len(self._buffer) < head + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer = b""
        self._load.answered(self._name, status)
        if self._pause_s:
            self._due += self._pause_s
            self._loop.call_at(self._due, self._send)
        else:
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._end.done():
            self._end.set_result(None)

    def _send(self) -> None:
        try:
            self._name, request = next(self._load.requests)
        except StopIteration:
            self._transport.close()
        else:
            self._transport.write(request)


def get(path: str) -> bytes:
    """A request as a mail program on a telephone would make it."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: links.shop.example\r\nAccept: image/*,*/*;q=0.8\r\n"
        "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148\r\n"
        "Accept-Language: en-GB\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
    ).encode()


def post(path: str, body: bytes, key: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: t\r\nX-Write-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
