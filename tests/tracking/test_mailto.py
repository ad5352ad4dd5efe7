"""Unsubscribing by mail to the address in List-Unsubscribe."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.links import MessageLinks
from tracking.mailto import mailto, read_mail
from tracking.tokens import KeyRing, TokenKind, write

RING = KeyRing({(kind, 1): bytes([place]) * 32 for place, kind in enumerate(TokenKind)}, 1)
LONG = f"{'unsubscribe' * 4}@in.shop.example"


@given(st.integers(0, 2**63 - 1), st.sampled_from(["leave@in.shop.example", LONG]))
def test_the_handle_comes_back_when_somebody_writes_to_the_address(handle: int, address: str) -> None:
    target, _, query = mailto(address, RING, handle).removeprefix("mailto:").partition("?")
    subject = unquote(query.removeprefix("subject="))
    assert read_mail(RING, [target], subject) == handle
    assert len(target.partition("@")[0]) <= 64


@pytest.mark.parametrize(
    ("recipients", "subject"),
    [
        ([], ""),
        (["leave@in.shop.example"], "unsubscribe"),
        (["leave+@in.shop.example", "+", "@", "leave+wrong@in.shop.example"], "unsubscribe " + "A" * 30),
        ([f"leave+{write(RING, TokenKind.OPEN, 7)}@in.shop.example"], write(RING, TokenKind.CLICK, 7, 1)),
    ],
)
def test_a_mail_names_nobody_when_it_has_no_token_for_leaving(recipients: list[str], subject: str) -> None:
    assert read_mail(RING, recipients, subject) is None


def test_the_token_is_found_when_the_subject_was_answered_to() -> None:
    token = write(RING, TokenKind.UNSUBSCRIBE, 7)
    assert read_mail(RING, ["leave@in.shop.example"], f"Re: unsubscribe {token}") == 7


def test_the_header_names_the_address_only_when_the_sender_has_one() -> None:
    links = MessageLinks("https://links.shop.example", RING, 5, 7)
    assert "mailto:" not in links.headers()["List-Unsubscribe"]
    listed = links.headers("leave@in.shop.example")["List-Unsubscribe"]
    assert listed.startswith("<https://links.shop.example/u/")
    assert listed.endswith("@in.shop.example?subject=unsubscribe>")
    assert MessageLinks("https://links.shop.example", RING, 5).headers("leave@in.shop.example") == {}
