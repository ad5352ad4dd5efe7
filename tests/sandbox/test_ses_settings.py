"""The account, the suppression list, configuration sets and identities."""

from __future__ import annotations

import httpx
import pytest

from tests.sandbox.conftest import Client, mail_to


def test_quota_counts_recipients_when_the_account_is_asked(aws: Client) -> None:
    ses = aws("sesv2")
    ses.send_email(**mail_to("alice@example.com", "bob@example.com"))

    account = ses.get_account()

    assert account["SendQuota"] == {"Max24HourSend": 1_000_000, "MaxSendRate": 500, "SentLast24Hours": 2}
    assert account["ProductionAccessEnabled"] is True
    assert account["SendingEnabled"] is True


def test_suppressed_address_is_listed_until_it_is_deleted(aws: Client) -> None:
    ses = aws("sesv2")
    for name in ("Carol", "bob", "alice+a/b"):
        ses.put_suppressed_destination(EmailAddress=f"{name}@example.com", Reason="BOUNCE")
    ses.put_suppressed_destination(EmailAddress="dave@example.com", Reason="COMPLAINT")

    found = ses.get_suppressed_destination(EmailAddress="carol@example.com")["SuppressedDestination"]
    assert (found["EmailAddress"], found["Reason"]) == ("Carol@example.com", "BOUNCE")
    assert ses.get_suppressed_destination(EmailAddress="alice+a/b@example.com")

    page = ses.list_suppressed_destinations(Reasons=["BOUNCE"], PageSize=2)
    rest = ses.list_suppressed_destinations(Reasons=["BOUNCE"], NextToken=page["NextToken"])
    listed = page["SuppressedDestinationSummaries"] + rest["SuppressedDestinationSummaries"]
    assert [one["EmailAddress"] for one in listed] == [
        "alice+a/b@example.com",
        "bob@example.com",
        "Carol@example.com",
    ]

    ses.delete_suppressed_destination(EmailAddress="carol@example.com")
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.get_suppressed_destination(EmailAddress="carol@example.com")
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.delete_suppressed_destination(EmailAddress="carol@example.com")


def test_mail_bounces_on_the_list_when_its_address_is_suppressed(aws: Client, web: httpx.Client) -> None:
    ses = aws("sesv2")
    ses.put_suppressed_destination(EmailAddress="carol@example.com", Reason="BOUNCE")
    ses.send_email(**mail_to("Carol <CAROL@example.com>"))

    [kept] = web.get("/sandbox/messages").json()["messages"]
    events = web.get(f"/sandbox/messages/{kept['seq']}").json()["events"]
    assert [event["kind"] for event in events] == ["Send", "Bounce · Permanent/OnAccountSuppressionList"]


def test_event_destination_is_returned_as_it_was_created(aws: Client) -> None:
    ses = aws("sesv2")
    topic = aws("sns").create_topic(Name="settings")["TopicArn"]
    ses.create_configuration_set(ConfigurationSetName="settings")
    destination = {
        "Enabled": True,
        "MatchingEventTypes": ["SEND", "BOUNCE"],
        "SnsDestination": {"TopicArn": topic},
    }
    created = {"ConfigurationSetName": "settings", "EventDestinationName": "feedback"}
    ses.create_configuration_set_event_destination(**created, EventDestination=destination)

    [found] = ses.get_configuration_set_event_destinations(ConfigurationSetName="settings")["EventDestinations"]
    assert found == {"Name": "feedback", **destination}
    assert ses.get_configuration_set(ConfigurationSetName="settings")["SendingOptions"]["SendingEnabled"]
    with pytest.raises(ses.exceptions.AlreadyExistsException):
        ses.create_configuration_set(ConfigurationSetName="settings")
    with pytest.raises(ses.exceptions.AlreadyExistsException):
        ses.create_configuration_set_event_destination(**created, EventDestination=destination)


def test_bad_request_is_raised_when_a_destination_names_no_topic(aws: Client) -> None:
    ses = aws("sesv2")
    with pytest.raises(ses.exceptions.BadRequestException):
        ses.create_configuration_set_event_destination(
            ConfigurationSetName="postilion",
            EventDestinationName="nowhere",
            EventDestination={"SnsDestination": {"TopicArn": "arn:aws:sns:eu-central-1:000000000000:nowhere"}},
        )


def test_identity_is_verified_as_soon_as_it_is_created(aws: Client) -> None:
    ses = aws("sesv2")
    assert ses.create_email_identity(EmailIdentity="fernfield.example")["IdentityType"] == "DOMAIN"

    found = ses.get_email_identity(EmailIdentity="fernfield.example")
    assert found["VerifiedForSendingStatus"] is True
    assert found["DkimAttributes"]["Status"] == "SUCCESS"
    with pytest.raises(ses.exceptions.NotFoundException):
        ses.get_email_identity(EmailIdentity="other.example")
