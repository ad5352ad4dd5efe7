"""Which kind of network an address belongs to, as far as that tells people from machines.

`networks.txt` holds the large blocks that are known; an operator's own file goes before it. The address itself goes no
further than this: what is stored of it is one word.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.settings import Settings
from tracking.classify import Network
from tracking.client_address import ClientAddress

_KNOWN = Path(__file__).with_name("networks.txt")
_WORDS = {
    "datacentre": Network.DATACENTRE,
    "scanner": Network.SCANNER,
    "relay": Network.RELAY,
    "people": Network.UNKNOWN,
}
_BITS = {4: 32, 6: 128}
_REMEMBERED = 20_000  # addresses

NetworkOf = Callable[[Mapping[str, Any]], Network]  # of the client of an ASGI request
Block = tuple[IPv4Network | IPv6Network, Network]


class Networks:
    """Blocks of addresses by what they are; of several that hold an address the longest decides."""

    __slots__ = ("_levels",)

    def __init__(self, blocks: Iterable[Block]) -> None:
        by_length: dict[int, dict[int, dict[int, Network]]] = {4: {}, 6: {}}
        for block, network in blocks:
            shift = _BITS[block.version] - block.prefixlen
            by_length[block.version].setdefault(shift, {})[int(block.network_address) >> shift] = network
        self._levels = {version: sorted(levels.items()) for version, levels in by_length.items()}

    def find(self, address: str) -> Network:
        """What the network of `address` is; UNKNOWN for one that nobody has listed, and for no address."""
        family, version = (socket.AF_INET6, 6) if ":" in address else (socket.AF_INET, 4)
        try:
            number = int.from_bytes(socket.inet_pton(family, address), "big")
        except (OSError, ValueError):
            return Network.UNKNOWN
        for shift, blocks in self._levels[version]:
            found = blocks.get(number >> shift)
            if found is not None:
                return found
        return Network.UNKNOWN


def network_of(settings: Settings) -> NetworkOf:
    """Tells the kind of network that a request comes from, by what the settings say of proxies and networks."""
    client_address, networks = ClientAddress(settings.trusted_proxies), load_networks(settings.networks)
    find = lru_cache(maxsize=_REMEMBERED)(networks.find)  # proxies of mail programs ask again and again
    return lambda scope: find(client_address.of(scope))


def of_nobody(_scope: Mapping[str, Any]) -> Network:
    """For servers that know nothing of networks."""
    return Network.UNKNOWN


def load_networks(own_file: str = "") -> Networks:
    """The known blocks, and before them those of the operator's file.

    Raises InputError for a file that cannot be read or that has a line which is no block.
    """
    own = read_blocks(_read(Path(own_file).expanduser()), own_file) if own_file else ()
    return Networks([*_known(), *own])


def read_blocks(text: str, file: str) -> Iterator[Block]:
    """The blocks of a file in the form of `networks.txt`; `people` takes one out again."""
    for line_no, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            yield ip_network(words[0]), _WORDS[words[1]]
        except (ValueError, KeyError, IndexError):
            message = (
                f"{file}:{line_no}: '{line.strip()[:60]}' is no network and what it is: write 192.0.2.0/24 datacentre."
            )
            raise InputError(message) from None


@cache
def _known() -> tuple[Block, ...]:
    return tuple(read_blocks(_KNOWN.read_text(encoding="utf-8"), _KNOWN.name))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"POSTILION_NETWORKS names {path}, which cannot be read: mend the path or leave it out."
        ) from None
