"""The smallest browser: one kept connection a thread, and no redirect followed, so that nothing leaves this machine."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import local
from typing import Any
from urllib.parse import urlencode, urlsplit


class Browser:
    """Talks to `base_url` alone; links that lead elsewhere are not followed."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._kept = local()

    def get(self, url: str, agent: str) -> str | None:
        """Fetch a page; answers where it redirects to, if it does."""
        return self._ask("GET", url, agent)

    def head(self, url: str, agent: str) -> None:
        self._ask("HEAD", url, agent)

    def post_form(self, url: str, form: Mapping[str, str], agent: str) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self._ask("POST", url, agent, urlencode(form).encode(), headers)

    def post_event(self, write_key: str, event: Mapping[str, Any]) -> None:
        """Post one event as a shop's server does; raises when it was not accepted."""
        secret = b64encode(f"{write_key}:".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {secret}"}
        body = json.dumps({"batch": [event]}).encode()
        status, _location = self._send("POST", "/v1/batch", {**headers, "User-Agent": "shop"}, body)
        if status != 200:
            raise RuntimeError(f"the event was answered with {status}")

    def _ask(
        self, method: str, url: str, agent: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> str | None:
        parts = urlsplit(url)
        if (parts.hostname, parts.port or 80) != (self._host, self._port):
            return None
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return self._send(method, path, {**(headers or {}), "User-Agent": agent}, body)[1]

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, str | None]:
        for attempt in (1, 2):
            connection: HTTPConnection | None = getattr(self._kept, "connection", None)
            if connection is None:
                connection = self._kept.connection = HTTPConnection(self._host, self._port, timeout=30)
            try:
                connection.request(method, path, body, dict(headers))
                answer: HTTPResponse = connection.getresponse()
                answer.read()
            except (HTTPException, ConnectionError):
                connection.close()
                self._kept.connection = None
                if attempt == 2:
                    raise
            else:
                return answer.status, answer.getheader("Location")
        raise AssertionError("unreachable")
