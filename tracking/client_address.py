"""The address a request really came from: the connection's, or what a trusted proxy says in front of it. Pure.

Every proxy appends the address it saw to `X-Forwarded-For`, so only the right end of the list can be believed, and only
as far as the addresses there are proxies of ours. An address is looked at in memory and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from core.errors import InputError

_FORWARDED_FOR = b"x-forwarded-for"
_MAX_HOPS = 10


class ClientAddress:
    """Reads the client's address of an ASGI request; `trusted` is a list of addresses and CIDR blocks with commas.

    The word `*` trusts whoever connects, for a server that only its proxy can reach. Raises InputError for anything
    that is no network.
    """

    __slots__ = ("_networks", "_trusts_all")

    def __init__(self, trusted: str = "") -> None:
        words = [word.strip() for word in trusted.split(",") if word.strip()]
        self._trusts_all = "*" in words
        try:
            self._networks = [ip_network(word, strict=False) for word in words if word != "*"]
        except ValueError as error:
            raise InputError(f"POSTILION_TRUSTED_PROXIES has what is no network ({error}): write 10.0.0.0/8.") from None

    def of(self, scope: Mapping[str, Any]) -> str:
        """The address in its usual spelling, "" where there is none, as on a Unix socket."""
        client = scope.get("client")
        if not (self._trusts_all or self._networks):
            return str(client[0]).removeprefix("::ffff:") if client else ""
        address = _read(client[0]) if client else None
        if not (self._trusts_all or self._is_trusted(address)):
            return str(address or "")
        for text in _hops(scope):
            hop = _read(text)
            if hop is None:
                break
            address = hop
            if not self._is_trusted(hop):
                break
        return str(address or "")

    def _is_trusted(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


def network_of(address: str) -> str:
    """The block that stands for one subscriber: an IPv4 address itself, of IPv6 its /64; "" for no address."""
    read = _read(address)
    if isinstance(read, IPv6Address):
        return str(IPv6Network((int(read) >> 64 << 64, 64)))
    return str(read or "")


def _hops(scope: Mapping[str, Any]) -> list[str]:
    """What the proxies noted, nearest first."""
    noted = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED_FOR]
    return [hop.strip() for hop in ",".join(noted).split(",")][::-1][:_MAX_HOPS] if noted else []


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """An address as it stands in the header or comes from the connection: `::ffff:1.2.3.4` is 1.2.3.4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
