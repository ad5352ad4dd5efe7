"""A mail in the browser shows what everybody may see, because mail is forwarded."""

from __future__ import annotations

from sqlalchemy import select

from campaigns.launch import launch_campaign
from campaigns.schedule import Occurrence
from campaigns.view import find_message_html
from core.clock import ManualClock
from core.runtime import Runtime
from delivery.tables import message
from tests.campaigns.recording import RecordingTransport, deliver_all
from tests.campaigns.shop import NOW, open_shop, publish_template

CAMPAIGN = "campaign: summer\nto: {segment: newsletter}\nsend: manual\nemail: plain\n"
TELLING = """\
---
template: plain
channel: email
subject: "Hello"
topic: marketing
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>{{ profile.first_name | default("there") }}, {{ profile.tier }},
{{ profile.email | default("no address") }}</mj-text>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""


def token_of(runtime: Runtime) -> int:
    with runtime.database.read() as connection:
        return int(connection.execute(select(message.c.token_id)).scalar_one())


def test_nothing_sealed_is_shown_when_a_mail_is_opened_in_the_browser(runtime: Runtime) -> None:
    open_shop(runtime, CAMPAIGN, people=1)
    with runtime.database.transaction() as connection:
        publish_template(connection, TELLING)
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    assert find_message_html(runtime, token_of(runtime)) is None  # it has not gone out yet
    transport = RecordingTransport()
    deliver_all(runtime, transport)
    assert "person00@people.example" in transport.sent[0].html

    html = find_message_html(runtime, token_of(runtime))
    assert html is not None
    assert "there, plain,\nno address" in html
    assert "erson00" not in html


def test_nothing_is_shown_when_the_mail_is_older_than_90_days_or_not_ours(runtime: Runtime) -> None:
    open_shop(runtime, CAMPAIGN, people=1)
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    deliver_all(runtime, RecordingTransport())
    assert find_message_html(runtime, 1) is None
    assert isinstance(runtime.clock, ManualClock)
    runtime.clock.move_to(NOW.replace(month=12))
    assert find_message_html(runtime, token_of(runtime)) is None
