"""Which addresses of the internet are this machine, private, or out in the open. Pure: nothing is looked up."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

# Behind these prefixes an IPv4 address travels (RFC 6052, RFC 8215), and it may be a private one.
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address as written) is this machine and no other."""
    if host == "localhost":
        return True
    address = parse_address(host)
    return address is not None and address.is_loopback


def is_public(address: Address) -> bool:
    """Whether `address` can be reached by everybody: not private, loopback, link-local, multicast or set aside.

    The metadata services of clouds are link-local or private. An IPv4 address inside an IPv6 one counts as itself.
    """
    if isinstance(address, IPv6Address):
        inside = _embedded(address)
        if inside is not None:
            return is_public(inside)
    return address.is_global and not address.is_multicast and not address.is_reserved


def parse_address(text: str) -> Address | None:
    """`text` as an address, in any of the forms that resolvers also take for one, such as 2130706433 or 0x7f.1."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return _old_form(text)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _old_form(text: str) -> IPv4Address | None:
    """One to four numbers, decimal, octal or hexadecimal; the last fills the rest (inet_aton of BSD)."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (5 - len(parts)):
        return None
    value = last
    for place, number in enumerate(leading):
        value += number << (24 - 8 * place)
    return IPv4Address(value)


def _number(text: str) -> int:
    if not text.isascii() or not text.isalnum():
        raise ValueError(text)
    if text.lower().startswith("0x"):
        return int(text, 16)
    return int(text, 8) if text.startswith("0") else int(text, 10)
