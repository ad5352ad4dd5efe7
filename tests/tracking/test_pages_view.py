"""A mail in the browser: what nobody declared harmless stays out, for whoever was forwarded the link."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from campaigns.view import find_message_html
from core.clock import ManualClock
from core.definitions import publish
from core.runtime import Runtime
from customers.identities import resolve
from customers.tables import IdentityKind
from customers.workspace import get_workspace
from delivery.outbox import NewMessage, enqueue
from delivery.system_mails import DATA_REQUEST_LINK, SystemMail, send_system_mail
from delivery.tables import MessageKind, OriginKind, message
from tests.campaigns.recording import RecordingTransport, deliver_all
from tests.tracking.conftest import WORKSPACE_DOCUMENT
from tracking.pages.language import texts_for
from tracking.pages.mail_words import mail_words

SENDERS = {"letters": {"from": "letters@shop.example", "channel": "email"}}
TEMPLATE = """---
template: seen
channel: email
kind: transactional
topic: transactional
subject: Seen
---
<mjml><mj-body><mj-section><mj-column><mj-text>
path {{ entry.path | default("nothing") }}, words {{ entry.words | default("nothing") }},
var {{ vars.name | default("nothing") }}
</mj-text></mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def alice(runtime: Runtime, clock: ManualClock) -> int:
    with runtime.database.transaction() as connection:
        now = clock.now()
        document = {**WORKSPACE_DOCUMENT, "senders": SENDERS}
        publish(connection, "workspace", "shop", document=document, source="", file="workspace.yaml", now=now)
        text: Any = {"text": TEMPLATE}
        publish(connection, "template", "seen", document=text, source=TEMPLATE, file="templates/seen.mjml", now=now)
        number = resolve(connection, runtime.vault, {IdentityKind.EMAIL: "alice@shop.example"}, now)
    assert number is not None
    return number


def sent(runtime: Runtime) -> tuple[str, int]:
    """The HTML that went out, and the token of its message."""
    transport = RecordingTransport()
    deliver_all(runtime, transport)
    with runtime.database.read() as connection:
        return transport.sent[0].html, connection.execute(select(message.c.token_id)).scalar_one()


def test_only_declared_properties_are_shown_when_a_mail_is_opened_in_the_browser(
    runtime: Runtime, clock: ManualClock, alice: int
) -> None:
    context = {"entry": {"path": "/tea", "words": "a secret"}, "vars": {"name": "Alice"}}
    new = NewMessage(
        "m-1",
        alice,
        "email",
        "transactional",
        "seen",
        OriginKind.API,
        "seen",
        "x",
        clock.now(),
        kind=MessageKind.TRANSACTIONAL,
        context=context,
    )
    with runtime.database.transaction() as connection:
        enqueue(connection, runtime.vault, [new], clock.now())
    html, token = sent(runtime)
    assert "words a secret" in html
    shown = find_message_html(runtime, token)
    assert shown is not None
    assert "path /tea, words nothing,\nvar nothing" in shown
    clock.advance(timedelta(days=90))
    assert find_message_html(runtime, token) is None


def test_a_link_to_somebody_s_data_is_shown_in_no_browser(runtime: Runtime, clock: ManualClock, alice: int) -> None:
    with runtime.database.transaction() as connection:
        workspace, now = get_workspace(connection), clock.now()
        words = mail_words(workspace, texts_for(workspace), "export", ignore="rights_ignore")
        url = "https://links.shop.example/x/secret"
        mail = SystemMail(DATA_REQUEST_LINK, alice, "once", words, url, now + timedelta(minutes=30))
        send_system_mail(connection, runtime.vault, workspace, mail, now)
        send_system_mail(connection, runtime.vault, workspace, mail, now)
    html, token = sent(runtime)
    assert "https://links.shop.example/x/secret" in html
    assert "/o/" not in html  # no pixel, and no tracked link either
    assert "/c/" not in html
    assert find_message_html(runtime, token) is None


def test_the_project_s_own_template_is_sent_when_it_has_the_slug(
    runtime: Runtime, clock: ManualClock, alice: int
) -> None:
    own = TEMPLATE.replace("template: seen", "template: data_request_link").replace("path ", "{{ links.button }} ", 1)
    with runtime.database.transaction() as connection:
        now = clock.now()
        text: Any = {"text": own}
        publish(connection, "template", DATA_REQUEST_LINK, document=text, source=own, file="t.mjml", now=now)
        words = {"path": "ours"}
        mail = SystemMail(DATA_REQUEST_LINK, alice, "once", words, "https://shop.example/x/1", now + timedelta(hours=1))
        send_system_mail(connection, runtime.vault, get_workspace(connection), mail, now)
    html, _token = sent(runtime)
    assert "https://shop.example/x/1 ours" in html
