"""SendEmail and SendBulkEmail."""

from __future__ import annotations

from typing import Any

import msgspec

from sandbox.account import Account
from sandbox.feedback.mail_events import MailEvent
from sandbox.handlebars import RenderingError, fill
from sandbox.mime import read_mime
from sandbox.wire.protocols import AwsError, Call, Document
from sandbox.wire.ses_acceptance import Draft, accept, check_account, check_headers
from sandbox.wire.ses_shapes import (
    Body,
    BulkEntry,
    Destination,
    Pair,
    Part,
    SendBulkEmail,
    SendEmail,
    Simple,
    Template,
)

MAX_BULK_ENTRIES = 50
_STATUSES = {
    "BadRequestException": "INVALID_PARAMETER",
    "MessageRejected": "MESSAGE_REJECTED",
    "NotFoundException": "TEMPLATE_NOT_FOUND",
    "TooManyRequestsException": "ACCOUNT_THROTTLED",
}
_send_email = msgspec.json.Decoder(SendEmail)
_send_bulk_email = msgspec.json.Decoder(SendBulkEmail)
_values = msgspec.json.Decoder(dict[str, Any])


async def send_email(account: Account, call: Call) -> Document:
    request = call.read(_send_email)
    content = request.content
    if content.raw:
        return {"MessageId": _send_raw(account, request, content.raw.data)}
    check_account(account, request.from_email_address, request.configuration_set_name)
    failure = None
    if content.simple:
        simple = content.simple
    elif content.template:
        simple, failure = _rendered(account, content.template, "{}", [])
    else:
        raise AwsError("BadRequestException", "Content has none of Simple, Raw and Template.")
    draft = _draft("SendEmail", request, simple, request.destination, request.email_tags)
    return {"MessageId": accept(account, draft, failure)}


async def send_bulk_email(account: Account, call: Call) -> Document:
    request = call.read(_send_bulk_email)
    if not 1 <= len(request.bulk_email_entries) <= MAX_BULK_ENTRIES:
        raise AwsError("BadRequestException", f"BulkEmailEntries must have 1 to {MAX_BULK_ENTRIES} entries.")
    check_account(account, request.from_email_address, request.configuration_set_name)
    return {"BulkEmailEntryResults": [_send_entry(account, request, entry) for entry in request.bulk_email_entries]}


def _send_entry(account: Account, request: SendBulkEmail, entry: BulkEntry) -> dict[str, str]:
    try:
        simple, failure = _rendered(
            account,
            request.default_content.template,
            entry.replacement_email_content.replacement_template.replacement_template_data,
            entry.replacement_headers,
        )
        tags = {tag.name: tag for tag in (*request.default_email_tags, *entry.replacement_tags)}
        draft = _draft("SendBulkEmail", request, simple, entry.destination, list(tags.values()))
        return {"Status": "SUCCESS", "MessageId": accept(account, draft, failure)}
    except AwsError as error:
        status = _STATUSES[error.code]
        if error.message.startswith("Daily"):
            status = "ACCOUNT_DAILY_QUOTA_EXCEEDED"
        return {"Status": status, "Error": error.message}


def _rendered(
    account: Account, template: Template, replacements: str, headers: list[Pair]
) -> tuple[Simple, MailEvent | None]:
    """The mail that an inline template makes; a value that is missing shows only in an event, as with SES."""
    content = template.template_content
    if content is None:
        raise AwsError("NotFoundException", f"Template {template.template_name} does not exist.", 404)
    try:
        values = _values.decode(template.template_data) | _values.decode(replacements)
    except msgspec.DecodeError as error:
        raise AwsError("BadRequestException", f"The template data is no JSON object: {error}") from error
    merged = list({header.name.lower(): header for header in (*template.headers, *headers)}.values())
    failure = None
    try:
        subject = fill(content.subject, values, escape_values=False)
        text = fill(content.text, values, escape_values=False)
        html = fill(content.html, values, account.options.escape_values)
    except RenderingError as error:
        subject, text, html = content.subject, content.text, content.html
        failure = MailEvent("Rendering Failure", "", template.template_name, str(error))
    return Simple(Part(subject), Body(Part(text), Part(html)), merged), failure


def _draft(
    operation: str,
    request: SendEmail | SendBulkEmail,
    simple: Simple,
    destination: Destination,
    tags: list[Pair],
) -> Draft:
    check_headers(simple.headers)
    html = simple.body.html.data if simple.body.html else ""
    text = simple.body.text.data if simple.body.text else ""
    addressed = {
        "From": [request.from_email_address],
        "Reply-To": request.reply_to_addresses,
        "To": destination.to_addresses,
        "Cc": destination.cc_addresses,
    }
    headers = [(name, ", ".join(addresses)) for name, addresses in addressed.items() if addresses]
    headers += [("Subject", simple.subject.data), ("MIME-Version", "1.0")]
    headers += [("Content-Type", _content_type(html, text))]
    headers += [(header.name, header.value) for header in simple.headers]
    return Draft(
        operation=operation,
        sender=request.from_email_address,
        recipients=destination.everyone(),
        subject=simple.subject.data,
        html=html,
        text=text,
        headers=tuple(headers),
        tags=tags,
        configuration_set=request.configuration_set_name,
    )


def _send_raw(account: Account, request: SendEmail, data: bytes) -> str:
    mail = read_mime(data)
    sender = request.from_email_address or mail.sender
    check_account(account, sender, request.configuration_set_name)
    draft = Draft(
        operation="SendEmail",
        sender=sender,
        recipients=request.destination.everyone() or mail.recipients,
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        headers=mail.headers,
        tags=request.email_tags,
        configuration_set=request.configuration_set_name,
    )
    return accept(account, draft)


def _content_type(html: str, text: str) -> str:
    if html and text:
        return "multipart/alternative"
    return "text/html; charset=UTF-8" if html else "text/plain; charset=UTF-8"
