from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from tracking.classify import Network
from tracking.client_address import ClientAddress, network_of
from tracking.networks import load_networks, read_blocks


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("52.1.2.3", Network.DATACENTRE),
        ("40.94.20.1", Network.SCANNER),  # within a block of the same owner's datacentres
        ("66.249.84.1", Network.RELAY),
        ("172.225.1.1", Network.RELAY),
        ("2a02:26f7::1", Network.RELAY),
        ("2a01:4f8:c0c::1", Network.DATACENTRE),
        ("81.2.69.142", Network.UNKNOWN),
        ("", Network.UNKNOWN),
        ("unix", Network.UNKNOWN),
    ],
)
def test_the_longest_block_decides_when_an_address_lies_in_several(address: str, network: Network) -> None:
    assert load_networks().find(address) is network


def test_an_operators_own_block_goes_first_when_it_is_as_long(tmp_path: Path) -> None:
    own = tmp_path / "networks.txt"
    own.write_text("81.2.69.0/24 scanner  Ours  # a gateway\n\n5.9.0.0/16 people\n")
    networks = load_networks(str(own))
    assert [networks.find(address) for address in ("81.2.69.142", "5.9.1.1")] == [Network.SCANNER, Network.UNKNOWN]


@pytest.mark.parametrize("line", ["300.1.1.0/24 datacentre", "10.0.0.0/8", "10.0.0.0/8 office", "10.0.0.1/8 relay"])
def test_a_line_is_named_when_it_is_no_network(line: str) -> None:
    with pytest.raises(InputError, match=r"own\.txt:2"):
        list(read_blocks(f"# ours\n{line}\n", "own.txt"))


def test_a_missing_file_is_told_when_the_setting_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="POSTILION_NETWORKS"):
        load_networks(str(tmp_path / "none.txt"))


def _scope(client: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"client": (client, 5) if client else None, "headers": headers}


@pytest.mark.parametrize(
    ("trusted", "client", "forwarded", "address"),
    [
        ("", "81.2.69.142", ["1.1.1.1"], "81.2.69.142"),  # anybody can write the header
        ("10.0.0.0/8", "81.2.69.142", ["1.1.1.1"], "81.2.69.142"),
        ("10.0.0.0/8", "10.0.0.1", ["6.6.6.6, 81.2.69.142"], "81.2.69.142"),  # the left end is the client's own word
        ("10.0.0.0/8", "10.0.0.1", ["6.6.6.6", "81.2.69.142, 10.2.2.2"], "81.2.69.142"),
        ("10.0.0.0/8", "10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("*", "10.0.0.1", ["[2a02:26f7::1]:4711"], "2a02:26f7::1"),
        ("*", None, ["81.2.69.142:99"], "81.2.69.142"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", ["::ffff:81.2.69.142"], "81.2.69.142"),
        ("", None, [], ""),
    ],
)
def test_only_a_trusted_proxy_is_believed_when_it_names_the_client(
    trusted: str, client: str | None, forwarded: list[str], address: str
) -> None:
    assert ClientAddress(trusted).of(_scope(client, *forwarded)) == address


def test_a_setting_is_refused_when_it_is_no_network() -> None:
    with pytest.raises(InputError, match="POSTILION_TRUSTED_PROXIES"):
        ClientAddress("the office")


def test_a_subscriber_is_one_network_when_addresses_are_of_ipv6() -> None:
    assert network_of("2a02:26f7:1:2:aaaa::1") == network_of("2a02:26f7:1:2:bbbb::9") == "2a02:26f7:1:2::/64"
    assert (network_of("81.2.69.142"), network_of("")) == ("81.2.69.142", "")
