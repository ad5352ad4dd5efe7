"""The webhook transport against a real https server: what is signed, where it may go, and what an answer means."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.errors import InputError
from core.keys import create_key
from core.vault import Vault, open_key_store
from delivery.envelope import Envelope
from delivery.providers.network import is_public, parse_address
from delivery.providers.transport import Reaction, TransportError
from delivery.providers.webhook import WebhookTransport
from delivery.webhook_signature import HEADER, secrets_of, sign, verify
from delivery.webhook_url import parse_webhook_url
from tests.delivery.certificates import Authority
from tests.delivery.counterparts import HOOK
from tests.delivery.https_server import HttpsServer

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[HttpsServer]:
    with HttpsServer(authority.server) as opened:
        yield opened


@pytest.fixture
def hook(authority: Authority) -> WebhookTransport:
    return WebhookTransport(tls=authority.trusting, clock=ManualClock(NOW), allows_private=True)


def to(server: HttpsServer, **details: Any) -> Envelope:
    return replace(HOOK, recipient=server.url, details={**HOOK.details, **details})


def failure_of(hook: WebhookTransport, envelope: Envelope) -> tuple[Reaction, str]:
    with pytest.raises(TransportError) as caught:
        hook.send(envelope)
    return caught.value.reaction, caught.value.code


def test_the_receiver_can_verify_the_call_when_it_arrives(hook: WebhookTransport, server: HttpsServer) -> None:
    accepted = hook.send(to(server))
    (call,) = server.calls
    assert (call.method, call.path, call.body) == ("POST", "/hooks/letters?from=postilion", b'{"who": "alice"}')
    assert call.headers["content-type"] == "application/json"
    assert call.headers["host"] == f"localhost:{server.port}"
    assert call.headers["idempotency-key"] == accepted.provider_id == "m-1"
    signature = call.headers[HEADER.lower()]
    assert verify("whsec_a", signature, call.body, SECONDS)
    assert verify("whsec_b", signature, call.body, SECONDS)  # the secret before the key was rotated
    assert not verify("whsec_c", signature, call.body, SECONDS)
    assert not verify("whsec_a", signature, call.body + b" ", SECONDS)
    assert not verify("whsec_a", signature, call.body, SECONDS + 301)


@pytest.mark.parametrize(
    ("status", "reaction"),
    [
        (302, Reaction.REJECT),
        (400, Reaction.REJECT),
        (404, Reaction.REJECT),
        (408, Reaction.RETRY),
        (425, Reaction.RETRY),
        (429, Reaction.RETRY),
        (500, Reaction.UNKNOWN),
        (503, Reaction.UNKNOWN),
    ],
)
def test_an_answer_has_its_meaning_when_it_is_no_success(
    hook: WebhookTransport, server: HttpsServer, status: int, reaction: Reaction
) -> None:
    server.status = status
    server.headers = {"location": "https://localhost/elsewhere"}
    assert failure_of(hook, to(server)) == (reaction, f"Status{status}")
    assert len(server.calls) == 1  # no redirect is followed


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_it_is_accepted_when_the_answer_is_a_success(hook: WebhookTransport, server: HttpsServer, status: int) -> None:
    server.status = status
    assert hook.send(to(server, method="PUT")).provider_id == "m-1"
    assert server.calls[0].method == "PUT"


def test_a_call_ends_in_time_when_the_answer_comes_byte_by_byte(hook: WebhookTransport, server: HttpsServer) -> None:
    server.drip_s = 0.1
    started = time.monotonic()
    assert failure_of(hook, to(server, timeout_s=0.5)) == (Reaction.UNKNOWN, "TimeoutError")
    assert time.monotonic() - started < 2


def test_nothing_is_sent_when_the_certificate_is_not_trusted(server: HttpsServer) -> None:
    hook = WebhookTransport(tls=ssl.create_default_context(), allows_private=True)
    assert failure_of(hook, to(server)) == (Reaction.RETRY, "SSLCertVerificationError")
    elsewhere = replace(to(server), recipient=f"https://127.0.0.1:{server.port}/")
    assert failure_of(hook, elsewhere) == (Reaction.RETRY, "SSLCertVerificationError")
    assert server.calls == []


def test_this_machine_is_not_called_when_nothing_allows_it(authority: Authority, server: HttpsServer) -> None:
    hook = WebhookTransport(tls=authority.trusting)
    assert failure_of(hook, to(server)) == (Reaction.REJECT, "AddressRefused")
    assert server.calls == []


def test_a_name_is_not_called_when_one_of_its_addresses_is_private(
    server: HttpsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is public by its looks; what it resolves to decides, before anything is connected."""
    answers = [[(2, 1, 6, "", ("93.184.215.14", 443)), (2, 1, 6, "", ("127.0.0.1", server.port))]]
    monkeypatch.setattr("delivery.providers.pinned_https.socket.getaddrinfo", lambda *_args, **_more: answers.pop())
    reaction, code = failure_of(WebhookTransport(), replace(HOOK, recipient="https://hooks.shop.example/"))
    assert (reaction, code) == (Reaction.REJECT, "PrivateAddress")
    assert answers == []


def test_the_judged_address_is_called_when_the_name_would_answer_differently_the_second_time(
    hook: WebhookTransport, server: HttpsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    resolve = socket.getaddrinfo

    def rebinding(host: str, *arguments: Any, **more: Any) -> Any:
        asked.append(host)
        name_answers = "127.0.0.1" if asked.count(host) == 1 else "192.168.1.1"
        return resolve(name_answers if host == "localhost" else host, *arguments, **more)

    monkeypatch.setattr("delivery.providers.pinned_https.socket.getaddrinfo", rebinding)
    hook.send(to(server))
    assert len(server.calls) == 1
    assert asked.count("localhost") == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.shop.example/",
        "ftp://hooks.shop.example/",
        "https://",
        "https:///path",
        "https://hooks.shop.example:port/",
        "https://user:secret@hooks.shop.example/",
        "https://hooks.shop.example/a b",
        "https://hooks.shop.example/\r\nHost: evil.example",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://db/",
        "https://printer.local/",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://10.0.0.1/",
        "https://172.16.9.9/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://" + "a" * 2_000 + ".example/",
    ],
)
def test_an_address_is_refused_when_it_is_not_out_in_the_open(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_webhook_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://hooks.shop.example", "hooks.shop.example", "/"),
        ("https://Hooks.Shop.Example./in?a=1&b=%20#part", "hooks.shop.example", "/in?a=1&b=%20"),
        ("https://bücher.example/käse", "xn--bcher-kva.example", "/k%C3%A4se"),
        ("https://93.184.215.14/", "93.184.215.14", "/"),
        ("https://[2606:2800:21f:cb07::1]:8443/", "2606:2800:21f:cb07::1", "/"),
    ],
)
def test_an_address_is_read_when_everybody_can_reach_it(url: str, host: str, target: str) -> None:
    read = parse_webhook_url(url)
    assert (read.host, read.target) == (host, target)


@given(st.ip_addresses())
def test_a_public_address_is_global_when_any_address_is_judged(address: Any) -> None:
    assert not is_public(address) or (address.is_global and not address.is_loopback and not address.is_link_local)
    assert parse_address(str(address)) == address


@given(st.text(max_size=80), st.binary(max_size=40))
def test_a_signature_does_not_fit_when_it_is_made_up(header: str, body: bytes) -> None:
    assert not verify("whsec_a", header, body, SECONDS)


@given(st.binary(), st.integers(0, 10**11))
def test_a_signature_fits_when_it_is_ours(body: bytes, at: int) -> None:
    assert verify("whsec_a", sign(("whsec_b", "whsec_a"), at, body), body, at)


def test_secrets_differ_and_stay_when_they_are_derived(tmp_path: Path) -> None:
    vault = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    (first,) = secrets_of(vault.signing_key, vault.key_version)
    assert first.startswith("whsec_")
    assert secrets_of(vault.signing_key, vault.key_version) == (first,)
    assert secrets_of(vault.signing_key, vault.key_version, "crm") != (first,)
    vault.close()
