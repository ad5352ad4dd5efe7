"""SendEmail and SendBulkEmail: what is accepted and how it is kept."""

from __future__ import annotations

import json
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import SENDER, Client, mail_to


def messages(web: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = web.get("/sandbox/messages", params=query).json()["messages"]
    return found


def bulk(*data: dict[str, str], html: str = "<p>{{name}} {{{raw}}}</p>") -> dict[str, Any]:
    content = {"Subject": "Hello {{name}}", "Html": html, "Text": "{{name}}"}
    return {
        "FromEmailAddress": SENDER,
        "DefaultContent": {"Template": {"TemplateContent": content, "TemplateData": '{"raw": "<b>"}'}},
        "DefaultEmailTags": [{"Name": "campaign", "Value": "autumn"}, {"Name": "mid", "Value": "none"}],
        "ConfigurationSetName": "postilion",
        "BulkEmailEntries": [
            {
                "Destination": {"ToAddresses": [f"alice+{number}@example.com"]},
                "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": json.dumps(one)}},
                "ReplacementTags": [{"Name": "mid", "Value": f"m-{number}"}],
                "ReplacementHeaders": [{"Name": "X-Number", "Value": str(number)}],
            }
            for number, one in enumerate(data)
        ],
    }


def test_mail_is_kept_whole_when_it_is_sent_as_simple_content(aws: Client, web: httpx.Client) -> None:
    sent = aws("sesv2").send_email(**mail_to("alice@example.com", "bob@example.com"))

    [kept] = messages(web)
    assert kept["message_id"] == sent["MessageId"]
    assert (kept["kind"], kept["from"], kept["subject"]) == ("email", SENDER, "Your lantern")
    assert kept["to"] == ["alice@example.com", "bob@example.com"]
    assert (kept["html"], kept["text"]) == ("<p>Dear Alice</p>", "Dear Alice")
    assert {"name": "List-Unsubscribe", "value": "<https://fernfield.example/u/1>"} in kept["headers"]
    assert kept["tags"] == {"mid": "m-1"}
    assert kept["configuration_set"] == "postilion"
    assert kept["received_at"].endswith("Z")


def test_both_parts_are_kept_when_mail_is_sent_raw(aws: Client, web: httpx.Client) -> None:
    raw = EmailMessage()
    raw["From"], raw["To"], raw["Subject"] = SENDER, "Alice <alice@example.com>", "Grüße"
    raw["X-Own"] = "yes"
    raw.set_content("Liebe Alice")
    raw.add_alternative("<p>Liebe Alice ✉</p>", subtype="html")

    aws("sesv2").send_email(Content={"Raw": {"Data": raw.as_bytes()}})

    [kept] = messages(web)
    assert (kept["to"], kept["subject"]) == (["alice@example.com"], "Grüße")
    assert (kept["text"].strip(), kept["html"].strip()) == ("Liebe Alice", "<p>Liebe Alice ✉</p>")
    assert {"name": "X-Own", "value": "yes"} in kept["headers"]


def test_each_entry_is_filled_with_its_own_values_when_mail_is_sent_in_bulk(aws: Client, web: httpx.Client) -> None:
    results = aws("sesv2").send_bulk_email(**bulk({"name": "Alice & Co"}, {"name": "Bob"}))["BulkEmailEntryResults"]

    first, second = messages(web)
    assert [result["Status"] for result in results] == ["SUCCESS", "SUCCESS"]
    assert [result["MessageId"] for result in results] == [first["message_id"], second["message_id"]]
    assert (first["subject"], second["subject"]) == ("Hello Alice & Co", "Hello Bob")
    assert first["html"] == "<p>Alice &amp; Co <b></p>"
    assert first["text"] == "Alice & Co"
    assert second["tags"] == {"campaign": "autumn", "mid": "m-1"}
    assert {"name": "X-Number", "value": "1"} in second["headers"]


def test_only_the_bad_entry_is_refused_when_one_of_a_bulk_call_is_bad(aws: Client, web: httpx.Client) -> None:
    request = bulk({"name": "Alice"}, {"name": "Bob"})
    request["BulkEmailEntries"][0]["ReplacementTags"][0]["Value"] = "not allowed!"

    results = aws("sesv2").send_bulk_email(**request)["BulkEmailEntryResults"]

    assert [result["Status"] for result in results] == ["INVALID_PARAMETER", "SUCCESS"]
    assert "Invalid tag" in results[0]["Error"]
    assert len(messages(web)) == 1


def test_entry_says_so_when_its_template_is_not_stored(aws: Client) -> None:
    request = bulk({"name": "Alice"})
    request["DefaultContent"] = {"Template": {"TemplateName": "lantern", "TemplateData": "{}"}}

    [result] = aws("sesv2").send_bulk_email(**request)["BulkEmailEntryResults"]

    assert result["Status"] == "TEMPLATE_NOT_FOUND"


def test_failure_shows_only_in_an_event_when_a_value_is_missing(aws: Client, web: httpx.Client) -> None:
    [result] = aws("sesv2").send_bulk_email(**bulk({"nome": "Alice"}))["BulkEmailEntryResults"]

    [kept] = messages(web)
    events = web.get(f"/sandbox/messages/{kept['seq']}").json()["events"]
    assert result["Status"] == "SUCCESS"
    assert [event["kind"] for event in events] == ["Rendering Failure"]
    assert events[0]["note"] == "Attribute 'name' is not present in the rendering data."


def test_messages_are_read_in_pages_when_a_cursor_is_given(aws: Client, web: httpx.Client) -> None:
    for number in range(5):
        aws("sesv2").send_email(**mail_to(f"alice+{number}@example.com"))

    first = web.get("/sandbox/messages", params={"limit": 3}).json()
    rest = web.get("/sandbox/messages", params={"after": first["next"]}).json()

    found = [message["to"][0] for message in first["messages"] + rest["messages"]]
    assert found == [f"alice+{number}@example.com" for number in range(5)]
    assert [one["to"] for one in messages(web, to="Alice+3@example.com")] == [["alice+3@example.com"]]


@pytest.mark.parametrize("count", [0, 51])
def test_bulk_call_is_refused_when_it_has_too_few_or_too_many_entries(aws: Client, count: int) -> None:
    ses = aws("sesv2")
    with pytest.raises(ses.exceptions.BadRequestException):
        ses.send_bulk_email(**bulk(*[{"name": "Alice"}] * count))
