from __future__ import annotations

import base64
import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.keys import WorkspaceKey
from tracking.tokens import MAX_LINK_NO, TOKEN_LENGTH, KeyRing, Token, TokenKind, sign, verify

_ALPHABET = string.ascii_letters + string.digits + "-_"


def _ring(*roots: bytes) -> KeyRing:
    key = WorkspaceKey(roots or (bytes(32),))
    return KeyRing.derive(lambda purpose, version: key.derive(f"sign:{purpose}", version), key.current)


RING = _ring()
tokens = st.builds(Token, st.sampled_from(TokenKind), st.integers(0, 2**64 - 1), st.integers(0, MAX_LINK_NO))


@given(tokens)
def test_a_token_says_the_same_when_it_is_read_back(token: Token) -> None:
    text = sign(RING, token)
    assert len(text) == TOKEN_LENGTH
    assert verify(RING, token.kind, text) == token


@given(tokens, st.integers(0, TOKEN_LENGTH - 1), st.sampled_from(_ALPHABET + "+/=. é\x00"))
def test_a_token_is_refused_when_one_character_differs(token: Token, at: int, other: str) -> None:
    text = sign(RING, token)
    if text[at] != other:
        assert verify(RING, token.kind, text[:at] + other + text[at + 1 :]) is None


@given(tokens, st.integers(0, 8 * 22 - 1))
def test_a_token_is_refused_when_one_bit_of_it_is_flipped(token: Token, bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(sign(RING, token) + "=="))
    raw[bit // 8] ^= 1 << bit % 8
    flipped = base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")
    assert verify(RING, token.kind, flipped) is None


@given(tokens)
def test_no_other_last_character_is_taken_when_it_decodes_alike(token: Token) -> None:
    text = sign(RING, token)
    assert [last for last in _ALPHABET if verify(RING, token.kind, text[:-1] + last)] == [text[-1]]


@given(st.text(max_size=40))
def test_a_text_is_refused_when_nobody_signed_it(text: str) -> None:
    assert verify(RING, TokenKind.CLICK, text) is None


@given(tokens)
def test_a_token_opens_nothing_else_when_its_kind_is_another(token: Token) -> None:
    text = sign(RING, token)
    assert [kind for kind in TokenKind if verify(RING, kind, text)] == [token.kind]


@given(tokens, st.sampled_from(TokenKind))
def test_a_kind_has_a_key_of_its_own_when_the_body_is_the_same(token: Token, other: TokenKind) -> None:
    same_keys = sign(RING, token) == sign(RING, Token(other, token.token_id, token.link_no))
    assert same_keys is (other is token.kind)


@given(tokens)
def test_the_signature_is_hmac_when_anybody_else_computes_it(token: Token) -> None:
    key = WorkspaceKey((bytes(32),)).derive(f"sign:token:{token.kind}", 1)
    raw = base64.urlsafe_b64decode(sign(RING, token) + "==")
    assert raw[-10:] == hmac.digest(key, raw[:-10], "sha256")[:10]


def test_signatures_are_compared_in_constant_time_when_a_token_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("tracking.tokens.hmac.compare_digest", compare)
    text = sign(RING, Token(TokenKind.CLICK, 7, 1))
    wrong = ("B" if text[20] == "A" else "A").join((text[:20], text[21:]))
    assert verify(RING, TokenKind.CLICK, wrong) is None
    assert compared == [(10, 10)]


@given(tokens, st.integers(1, 4), st.integers(0, 3))
def test_every_version_that_is_on_the_ring_checks_what_it_signed_when_keys_rotate(
    token: Token, version: int, later: int
) -> None:
    keys = [bytes([number]) * 32 for number in range(version + later)]
    text = sign(_ring(*keys[:version]), token)
    assert verify(_ring(*keys), token.kind, text) == token
    assert (verify(_ring(*keys[: version - 1]), token.kind, text) if version > 1 else None) is None


def test_an_old_token_is_still_good_when_the_key_was_rotated() -> None:
    token = Token(TokenKind.UNSUBSCRIBE, 7)
    old, rotated = _ring(b"a" * 32), _ring(b"a" * 32, b"b" * 32)
    assert verify(rotated, token.kind, sign(old, token)) == token
    assert verify(rotated, token.kind, sign(rotated, token)) == token
    assert verify(old, token.kind, sign(rotated, token)) is None


def test_a_token_is_refused_when_another_workspace_signed_it() -> None:
    token = Token(TokenKind.CLICK, 7, 3)
    assert verify(_ring(b"b" * 32), token.kind, sign(_ring(b"a" * 32), token)) is None
