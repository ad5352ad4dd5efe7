"""Which addresses a webhook may have, as far as the address itself tells. Pure: no name is looked up here.

Only https, only names and addresses that everybody can reach, and no password in it. What a name resolves to is judged
when it is called (delivery/providers/pinned_https.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from core.errors import InputError
from delivery.providers.network import is_public, parse_address

_MAX_LENGTH = 2_000
# Names of machines that only their own network knows (RFC 6761, RFC 6762, RFC 8375), and of clouds' metadata.
_PRIVATE_NAMES = frozenset({"localhost", "metadata", "metadata.google.internal"})
_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".onion", ".invalid")
_SAFE = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """`host` is in its ASCII form, `target` what stands in the request's first line."""

    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


def parse_webhook_url(url: str, *, allows_private: bool = False) -> WebhookUrl:
    """`url` in its parts. Raises InputError, which does not repeat it: the path may be somebody's secret.

    `allows_private` is for tests against a server on this machine.
    """
    if len(url) > _MAX_LENGTH or not url.isprintable() or any(character.isspace() for character in url):
        raise InputError(f"it is longer than {_MAX_LENGTH} characters, or has white space in it.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise InputError("it is no address: write https://system.example/path.") from None
    if parts.scheme != "https" or not host:
        raise InputError("it is not https: write https://system.example/path.")
    if parts.username is not None or parts.password is not None:
        raise InputError("it has a user or a password in it: leave them out, each call is signed.")
    ascii_host = _ascii_host(host)
    if not allows_private:
        _refuse_private(ascii_host)
    target = quote(parts.path or "/", safe=_SAFE)
    return WebhookUrl(ascii_host, port, f"{target}?{quote(parts.query, safe=_SAFE + '?')}" if parts.query else target)


def _ascii_host(host: str) -> str:
    name = host.rstrip(".").lower()
    if parse_address(name) is not None:
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        raise InputError("its host is no name: write one such as system.example.") from None


def _refuse_private(host: str) -> None:
    address = parse_address(host)
    if address is not None:
        if not is_public(address):
            raise InputError("its host is a private address: write one that is reachable from outside.")
    elif host in _PRIVATE_NAMES or host.endswith(_PRIVATE_ENDINGS) or "." not in host:
        raise InputError("its host is known to its own network alone: write one that is reachable from outside.")
