"""What every transport promises, each with its real counterpart: nothing here is a stand-in of our own code."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from delivery.envelope import Envelope
from delivery.providers.registry import TRANSPORTS
from delivery.providers.transport import Reaction, TransportError
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.delivery.counterparts import ADDRESS, COUNTERPARTS, NUMBER, Counterpart, Trouble

# Nothing was accepted, and the message keeps its turn.
_LATER = {Reaction.RETRY, Reaction.SLOW_DOWN}
_MEANING = {
    Trouble.NOBODY_THERE: {Reaction.RETRY},
    Trouble.TOO_FAST: _LATER,
    Trouble.REFUSED: {Reaction.REJECT},
    Trouble.BROKEN: {Reaction.UNKNOWN},
    Trouble.REPLY_LOST: {Reaction.UNKNOWN},
}
_HOSTILE = "x\r\nBcc: mallory@evil.example\r\n\r\nHello"


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as sandbox:
        yield sandbox


@pytest.fixture(params=COUNTERPARTS)
def counterpart(request: pytest.FixtureRequest, tmp_path: Path, shared_sandbox: SandboxServer) -> Iterator[Counterpart]:
    with COUNTERPARTS[request.param](tmp_path, shared_sandbox) as opened:
        yield opened


def failure_of(counterpart: Counterpart, trouble: Trouble) -> TransportError:
    transport = counterpart.transport
    if trouble is Trouble.NOBODY_THERE:
        assert counterpart.elsewhere is not None
        transport = counterpart.elsewhere()
    else:
        counterpart.make(trouble)
    with pytest.raises(TransportError) as caught:
        transport.send(counterpart.envelope)
    return caught.value


def test_there_is_a_counterpart_when_there_is_a_transport() -> None:
    assert set(COUNTERPARTS) == {*TRANSPORTS, "capture"}


def test_one_message_arrives_under_one_id_when_it_is_accepted(counterpart: Counterpart) -> None:
    accepted = counterpart.transport.send(counterpart.envelope)
    assert counterpart.accepted() == 1
    assert 1 <= len(accepted.provider_id) <= 120
    assert ADDRESS not in accepted.provider_id


def test_it_says_what_it_is_when_it_is_asked(counterpart: Counterpart) -> None:
    transport = counterpart.transport
    assert transport.channel == counterpart.envelope.channel
    assert 1 <= len(transport.name) <= 20  # it stands in the ledger
    rate = transport.read_rate()
    assert rate is None or rate > 0


@pytest.mark.parametrize("trouble", Trouble)
def test_each_failure_means_the_same_when_transports_differ(counterpart: Counterpart, trouble: Trouble) -> None:
    if trouble not in counterpart.troubles:
        pytest.skip("cannot happen to it")
    error = failure_of(counterpart, trouble)
    assert error.reaction in _MEANING[trouble]
    assert re.fullmatch(r"[A-Za-z0-9_: ]{1,100}", error.code)
    taken = counterpart.accepted()
    assert taken <= 1
    if error.reaction is not Reaction.UNKNOWN:
        assert taken == 0


@pytest.mark.parametrize("trouble", Trouble)
def test_no_address_is_told_when_something_fails(
    counterpart: Counterpart, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    if trouble not in counterpart.troubles:
        pytest.skip("cannot happen to it")
    with caplog.at_level(logging.WARNING):
        error = failure_of(counterpart, trouble)
    for told in (str(error), error.code, error.text, caplog.text, repr(counterpart.envelope)):
        assert ADDRESS not in told
        assert NUMBER not in told
        assert "Dear Alice" not in told


def test_each_message_arrives_once_when_many_threads_send(counterpart: Counterpart) -> None:
    envelopes = [
        replace(counterpart.envelope, message_id=f"m-{number}", tags={"mid": f"m-{number}", "campaign": "summer"})
        for number in range(24)
    ]
    with ThreadPoolExecutor(6) as pool:
        ids = [accepted.provider_id for accepted in pool.map(counterpart.transport.send, envelopes)]
    assert len(set(ids)) == counterpart.accepted() == 24


@pytest.mark.parametrize("field", ["subject", "recipient", "sender", "reply_to", "header", "header_name", "mid"])
def test_nothing_is_slipped_in_when_a_value_has_a_line_break(counterpart: Counterpart, field: str) -> None:
    hostile: dict[str, Any] = {"header": {"X-Shop": _HOSTILE}, "header_name": {_HOSTILE: "x"}}
    name = {"header": "headers", "header_name": "headers", "mid": "message_id"}.get(field, field)
    changed: dict[str, Any] = {name: hostile.get(field, _HOSTILE)}
    refused = _refusal_of(counterpart, replace(counterpart.envelope, **changed))
    if refused is None:  # the value is none that this channel has, or is data that cannot be taken for anything else
        assert counterpart.accepted() <= 1
    else:
        assert refused.reaction is Reaction.REJECT
        assert "mallory" not in str(refused)


def _refusal_of(counterpart: Counterpart, envelope: Envelope) -> TransportError | None:
    try:
        counterpart.transport.send(envelope)
    except TransportError as error:
        return error
    return None
