"""The fast way to SES: signatures are botocore's byte for byte, and each failure says whether the mail was accepted."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from time import sleep
from typing import Any

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock
from delivery.envelope import Envelope
from delivery.providers.aws_post import AwsPost
from delivery.providers.ses_fast import FastSesTransport
from delivery.providers.sigv4 import Credentials, sign
from delivery.providers.transport import Reaction, TransportError
from delivery.tables import MessageKind
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer

PATH = "/v2/email/outbound-emails"
KEYS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+=", min_size=1, max_size=60)
INSTANTS = st.integers(946_684_800, 4_102_444_800).map(lambda second: datetime.fromtimestamp(second, UTC))
HEADERS = st.dictionaries(
    st.from_regex(r"X-[A-Za-z0-9-]{1,20}", fullmatch=True).filter(lambda name: not name.lower().startswith("x-am")),
    st.text("abc XYZ019-_.,;=", max_size=30),
    max_size=4,
).filter(lambda found: len({name.lower() for name in found}) == len(found))
ALICE = Envelope(
    "m-1",
    "email",
    MessageKind.MARKETING,
    "alice@people.example",
    "lookup",
    "Shop <letters@shop.example>",
    "Grüße",
    subject="Hällo",
    html="<p>Grüße</p>",
    headers={"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    tags={"mid": "m-1"},
)


@given(KEYS, KEYS, st.just("") | KEYS, INSTANTS, HEADERS, st.binary(max_size=2_000), st.sampled_from(["", ":8443"]))
def test_a_signature_is_botocores_byte_for_byte_when_both_sign_the_same(
    access_key: str, secret_key: str, token: str, at: datetime, headers: dict[str, str], body: bytes, port: str
) -> None:
    host = f"email.eu-central-1.amazonaws.com{port}"
    headers = {"Content-Type": "application/json", **headers}
    request = AWSRequest("POST", f"https://{host}{PATH}", headers, body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: at.replace(tzinfo=None))
        theirs = BotocoreCredentials(access_key, secret_key, token or None)
        botocore.auth.SigV4Auth(theirs, "ses", "eu-central-1").add_auth(request)
    ours = sign(
        Credentials(access_key, secret_key, token),
        region="eu-central-1",
        service="ses",
        path=PATH,
        headers={"Host": host, **headers},
        body=body,
        at=at,
    )
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
        assert ours.get(name) == request.headers.get(name), name


def test_a_mail_arrives_whole_when_it_is_sent_without_boto3() -> None:
    with SandboxServer(SandboxOptions()) as sandbox:
        transport = FastSesTransport(region="eu-central-1", endpoint_url=sandbox.url)
        accepted = [transport.send(ALICE).provider_id for _ in range(3)]
        quota = transport.read_quota()
    assert len(set(accepted)) == 3
    assert (quota.rate, quota.day_left) == (500.0, 999_997)


class Frozen:
    """Credentials that change as those of a role do."""

    def __init__(self) -> None:
        self.count = 0

    def get_frozen_credentials(self) -> BotocoreCredentials:
        self.count += 1
        return BotocoreCredentials(f"AKID{self.count}", "secret", f"token{self.count}")


@contextmanager
def server(*answers: Callable[[socket.socket, bytes], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that treats each request in its own way; what it was sent is in the list."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection: socket.socket | None = None
        for answer in answers:
            if connection is None or connection.fileno() < 0:
                connection, _ = listener.accept()
                connection.settimeout(5)
            requests.append(_read(connection))
            answer(connection, requests[-1])

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        thread.join(5)
        listener.close()


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-len"))
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answering(status: str, body: str = "{}", **headers: str) -> Callable[[socket.socket, bytes], None]:
    def answer(connection: socket.socket, _request: bytes) -> None:
        named = {"Content-Length": str(len(body)), **{name.replace("_", "-"): text for name, text in headers.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        connection.sendall(f"HTTP/1.1 {status}\r\n{lines}\r\n{body}".encode())

    return answer


def hanging_up(connection: socket.socket, _request: bytes) -> None:
    connection.close()


def post_to(url: str, credentials: Any = None) -> AwsPost:
    return AwsPost(url, region="eu-central-1", service="ses", credentials=credentials or Frozen(), timeout_s=2.0)


@pytest.mark.parametrize(
    ("answer", "reaction", "code"),
    [
        (
            answering("429 Slow", "{}", x_amzn_ErrorType="TooManyRequestsException"),
            "slow_down",
            "TooManyRequestsException",
        ),
        (answering("400 Bad", '{"__type":"com.amazonaws.ses#MessageRejected"}'), "reject", "MessageRejected"),
        (answering("500 Oops", "not json"), "unknown", "500"),
        (answering("200 OK", "not json"), "unknown", "DecodeError"),
        (hanging_up, "unknown", "RemoteDisconnected"),
        (lambda *_: sleep(3), "unknown", "TimeoutError"),
    ],
)
def test_a_failure_says_whether_the_mail_was_accepted_when_the_answer_is_no_plain_yes(
    answer: Callable[[socket.socket, bytes], None], reaction: str, code: str
) -> None:
    with server(answer) as (url, requests), pytest.raises(TransportError) as raised:
        post_to(url).post(PATH, {"a": 1})
    assert (raised.value.reaction, raised.value.code) == (Reaction(reaction), code)
    assert len(requests) == 1


def test_nothing_was_accepted_when_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TransportError) as raised:
        post_to(url).post(PATH, {})
    assert raised.value.reaction is Reaction.RETRY


def test_a_connection_is_used_again_and_made_anew_when_the_other_side_has_closed_it() -> None:
    def answer_and_hang_up(connection: socket.socket, request: bytes) -> None:
        answering("200 OK")(connection, request)
        connection.close()

    with server(answering("200 OK"), answer_and_hang_up, answering("200 OK")) as (url, requests):
        post = post_to(url)
        for _ in range(3):
            assert post.post(PATH, {}) == {}
    assert len(requests) == 3


def test_credentials_are_asked_for_each_request_when_they_renew_themselves() -> None:
    with server(answering("200 OK"), answering("200 OK")) as (url, requests):
        post = post_to(url)
        post.post(PATH, {})
        post.post(PATH, {})
    assert b"Credential=AKID1/" in requests[0]
    assert b"X-Amz-Security-Token: token2" in requests[1]


def test_the_providers_clock_is_followed_when_ours_is_off() -> None:
    ahead = SystemClock().now() + timedelta(hours=3)
    date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT")
    refused = answering("403 No", '{"message":"Signature expired: 1 is now earlier than 2"}', Date=date,
                        x_amzn_ErrorType="InvalidSignatureException")  # fmt: skip
    with server(refused, answering("200 OK")) as (url, requests):
        post = post_to(url)
        with pytest.raises(TransportError) as raised:
            post.post(PATH, {})
        post.post(PATH, {})
    assert raised.value.reaction is Reaction.RETRY
    stamp = next(line for line in requests[1].decode().split("\r\n") if line.startswith("X-Amz-Date: "))
    signed_at = datetime.strptime(stamp, "X-Amz-Date: %Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(signed_at - ahead) < timedelta(minutes=1)


def test_a_certificate_is_always_verified_when_the_address_is_https() -> None:
    post = AwsPost("https://email.eu-central-1.amazonaws.com", region="r", service="ses", credentials=Frozen())
    assert post._context is not None
    assert (post._context.verify_mode, post._context.check_hostname) == (ssl.CERT_REQUIRED, True)
