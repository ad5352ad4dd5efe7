"""Misbehaviour on purpose, and that it can be repeated."""

from __future__ import annotations

import time

import httpx
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.behaviour import Behaviour, Dice, changed
from tests.sandbox.conftest import Client, mail_to

ALICE = mail_to("alice@example.com")


def kept_count(web: httpx.Client) -> int:
    return len(web.get("/sandbox/messages").json()["messages"])


def test_mail_is_kept_though_no_reply_comes_when_replies_are_dropped(aws: Client, web: httpx.Client) -> None:
    web.put("/sandbox/behaviour", json={"drop_reply": True}).raise_for_status()
    ses = aws("sesv2")

    with pytest.raises(ConnectionClosedError):
        ses.send_email(**ALICE)
    with pytest.raises(ConnectionClosedError):
        aws("pinpoint-sms-voice-v2").send_text_message(DestinationPhoneNumber="+491701234567", MessageBody="Hi")

    assert kept_count(web) == 2
    assert ses.get_account()["SendingEnabled"]


@pytest.mark.parametrize(("kind", "kept"), [("error_before", 0), ("error_after", 1)])
def test_500_is_answered_before_or_after_acceptance_when_it_is_asked_for(
    aws: Client, web: httpx.Client, kind: str, kept: int
) -> None:
    web.put("/sandbox/behaviour", json={kind: 1}).raise_for_status()

    with pytest.raises(ClientError) as failed:
        aws("sesv2").send_email(**ALICE)

    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert kept_count(web) == kept


def test_sending_waits_and_reading_does_not_when_there_is_latency(aws: Client, web: httpx.Client) -> None:
    web.put("/sandbox/behaviour", json={"latency_ms": 200}).raise_for_status()
    ses = aws("sesv2")
    ses.get_account()
    began = time.monotonic()
    ses.send_email(**ALICE)
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("body", ['{"throttle": 2}', '{"speed": 1}', '{"paused": "yes"}', "[]", "{"])
def test_behaviour_is_refused_in_a_sentence_when_it_is_wrong(web: httpx.Client, body: str) -> None:
    refused = web.put("/sandbox/behaviour", content=body)

    assert refused.status_code == 400
    assert refused.json()["error"]
    assert web.get("/sandbox/behaviour").json()["throttle"] == 0


def test_other_fields_stay_when_one_is_changed() -> None:
    paused = changed(Behaviour(), {"paused": True})
    assert changed(paused, {"throttle": True}) == Behaviour(paused=True, throttle=1.0)


@given(st.integers(), st.floats(0, 1))
@settings(max_examples=50)
def test_same_calls_are_hit_when_the_seed_is_the_same(seed: int, probability: float) -> None:
    first, second = Dice(seed), Dice(seed)
    throws = [first.falls("drop_reply", probability) for _ in range(20)]
    assert [second.falls("drop_reply", probability) for _ in range(20)] == throws


def test_share_of_hits_is_the_probability_when_many_are_thrown() -> None:
    dice = Dice(1)
    assert 250 < sum(dice.falls("throttle", 0.3) for _ in range(1000)) < 350
    assert not any(dice.falls("reject", 0.0) for _ in range(100))
    assert all(dice.falls("reject", 1.0) for _ in range(100))
