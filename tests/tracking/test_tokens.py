from __future__ import annotations

import string

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


def test_an_old_token_is_still_good_when_the_key_was_rotated() -> None:
    token = Token(TokenKind.UNSUBSCRIBE, 7)
    old, rotated = _ring(b"a" * 32), _ring(b"a" * 32, b"b" * 32)
    assert verify(rotated, token.kind, sign(old, token)) == token
    assert verify(rotated, token.kind, sign(rotated, token)) == token
    assert verify(old, token.kind, sign(rotated, token)) is None


def test_a_token_is_refused_when_another_workspace_signed_it() -> None:
    token = Token(TokenKind.CLICK, 7, 3)
    assert verify(_ring(b"b" * 32), token.kind, sign(_ring(b"a" * 32), token)) is None
