"""Every refusal of SES arrives in boto3 as the exception class that production would raise."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.sandbox.conftest import Client, client_for, mail_to

ALICE = mail_to("alice@example.com")


def with_header(name: str, value: str) -> dict[str, Any]:
    mail = mail_to("alice@example.com")
    mail["Content"]["Simple"]["Headers"] = [{"Name": name, "Value": value}]
    return mail


@pytest.mark.parametrize(
    ("behaviour", "name", "status"),
    [
        ({"throttle": 1}, "TooManyRequestsException", 429),
        ({"reject": 1}, "MessageRejected", 400),
        ({"paused": True}, "SendingPausedException", 400),
        ({"suspended": True}, "AccountSuspendedException", 400),
        ({"unverified": ["fernfield.example"]}, "MailFromDomainNotVerifiedException", 400),
    ],
)
def test_boto3_raises_the_class_of_the_refusal_when_the_behaviour_asks_for_it(
    aws: Client, web: httpx.Client, behaviour: dict[str, Any], name: str, status: int
) -> None:
    web.put("/sandbox/behaviour", json=behaviour).raise_for_status()
    ses = aws("sesv2")

    with pytest.raises(getattr(ses.exceptions, name)) as refused:
        ses.send_email(**ALICE)

    assert refused.value.response["Error"]["Code"] == name
    assert refused.value.response["Error"]["Message"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert web.get("/sandbox/messages").json()["messages"] == []


@pytest.mark.parametrize(
    "mail",
    [
        mail_to(),
        mail_to("alice"),
        mail_to(*[f"alice+{number}@example.com" for number in range(51)]),
        mail_to("alice@example.com", EmailTags=[{"Name": "mid", "Value": "a.b"}]),
        mail_to("alice@example.com", Content={}),
        mail_to("alice@example.com", FromEmailAddress=""),
        with_header("X Space", "1"),
        with_header("X-Break", "a\r\nBcc: eve@example.com"),
    ],
)
def test_bad_request_is_raised_when_a_mail_is_malformed(aws: Client, mail: dict[str, Any]) -> None:
    ses = aws("sesv2")
    with pytest.raises(ses.exceptions.BadRequestException):
        ses.send_email(**mail)


def test_not_found_is_raised_when_the_configuration_set_does_not_exist(aws: Client) -> None:
    ses = aws("sesv2")
    with pytest.raises(ses.exceptions.NotFoundException, match="Configuration set <nowhere> does not exist"):
        ses.send_email(**mail_to("alice@example.com", ConfigurationSetName="nowhere"))


def test_client_error_is_raised_when_an_operation_is_not_offered(aws: Client) -> None:
    with pytest.raises(ClientError) as refused:
        aws("sesv2").list_contact_lists()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
    with pytest.raises(ClientError) as refused:
        aws("sns").list_platform_applications()
    assert refused.value.response["Error"]["Code"] == "InvalidAction"
    with pytest.raises(ClientError) as refused:
        aws("sqs").list_queues()
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"


@pytest.mark.parametrize("authorization", [None, "Bearer x", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/x"])
def test_request_is_refused_when_it_is_not_signed(web: httpx.Client, authorization: str | None) -> None:
    headers = {"authorization": authorization} if authorization else {}
    refused = web.get("/v2/email/account", headers=headers)

    assert refused.status_code in (400, 403)
    assert refused.headers["x-amzn-errortype"] in (
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
    )


def test_entries_beyond_the_rate_are_throttled_when_a_bulk_call_exceeds_it() -> None:
    with SandboxServer(SandboxOptions(max_send_rate=1, burst_seconds=3)) as sandbox:
        entry = {"Destination": {"ToAddresses": ["alice@example.com"]}}
        results = client_for(sandbox.url, "sesv2").send_bulk_email(
            FromEmailAddress="shop@fernfield.example",
            DefaultContent={"Template": {"TemplateContent": {"Subject": "Hi", "Text": "Hi"}, "TemplateData": "{}"}},
            BulkEmailEntries=[entry] * 5,
        )["BulkEmailEntryResults"]

    assert [result["Status"] for result in results] == ["SUCCESS"] * 3 + ["ACCOUNT_THROTTLED"] * 2


def test_too_many_requests_is_raised_when_the_daily_quota_is_used_up_until_the_clock_passes_a_day() -> None:
    with SandboxServer(SandboxOptions(max_24_hour_send=2)) as sandbox:
        ses = client_for(sandbox.url, "sesv2")
        httpx.put(f"{sandbox.url}/sandbox/clock", json={"now": "2026-03-01T09:00:00Z"}).raise_for_status()
        for _ in range(2):
            ses.send_email(**ALICE)
        with pytest.raises(ses.exceptions.TooManyRequestsException, match="Daily message quota exceeded"):
            ses.send_email(**ALICE)
        assert ses.get_account()["SendQuota"]["SentLast24Hours"] == 2

        httpx.put(f"{sandbox.url}/sandbox/clock", json={"now": "2026-03-02T09:00:00Z"}).raise_for_status()
        assert ses.send_email(**ALICE)["MessageId"]
