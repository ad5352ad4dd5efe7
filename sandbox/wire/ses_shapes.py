"""The requests of SES v2 that send mail, as its API reference defines them."""

from __future__ import annotations

import msgspec


class Part(msgspec.Struct, rename="pascal"):
    data: str = ""


class Body(msgspec.Struct, rename="pascal"):
    text: Part | None = None
    html: Part | None = None


class Pair(msgspec.Struct, rename="pascal"):
    """A header or a tag."""

    name: str
    value: str


class Simple(msgspec.Struct, rename="pascal"):
    subject: Part
    body: Body
    headers: list[Pair] = []


class Raw(msgspec.Struct, rename="pascal"):
    data: bytes


class TemplateContent(msgspec.Struct, rename="pascal"):
    subject: str = ""
    text: str = ""
    html: str = ""


class Template(msgspec.Struct, rename="pascal"):
    template_name: str = ""
    template_content: TemplateContent | None = None
    template_data: str = "{}"
    headers: list[Pair] = []


class Content(msgspec.Struct, rename="pascal"):
    simple: Simple | None = None
    raw: Raw | None = None
    template: Template | None = None


class Destination(msgspec.Struct, rename="pascal"):
    to_addresses: list[str] = []
    cc_addresses: list[str] = []
    bcc_addresses: list[str] = []

    def everyone(self) -> tuple[str, ...]:
        return (*self.to_addresses, *self.cc_addresses, *self.bcc_addresses)


class SendEmail(msgspec.Struct, rename="pascal"):
    content: Content
    from_email_address: str = ""
    destination: Destination = msgspec.field(default_factory=Destination)
    reply_to_addresses: list[str] = []
    email_tags: list[Pair] = []
    configuration_set_name: str = ""


class ReplacementTemplate(msgspec.Struct, rename="pascal"):
    replacement_template_data: str = "{}"


class ReplacementContent(msgspec.Struct, rename="pascal"):
    replacement_template: ReplacementTemplate = msgspec.field(default_factory=ReplacementTemplate)


class BulkEntry(msgspec.Struct, rename="pascal"):
    destination: Destination
    replacement_tags: list[Pair] = []
    replacement_headers: list[Pair] = []
    replacement_email_content: ReplacementContent = msgspec.field(default_factory=ReplacementContent)


class BulkContent(msgspec.Struct, rename="pascal"):
    template: Template


class SendBulkEmail(msgspec.Struct, rename="pascal"):
    default_content: BulkContent
    bulk_email_entries: list[BulkEntry]
    from_email_address: str = ""
    reply_to_addresses: list[str] = []
    default_email_tags: list[Pair] = []
    configuration_set_name: str = ""
