"""The pages without a browser: what they show, what they escape, and that a mail cannot run anything."""

from __future__ import annotations

import httpx

from tests.sandbox.conftest import Client, mail_to

NASTY = "<script>alert(1)</script>"


def test_inbox_shows_sender_state_and_preview_when_mail_came(aws: Client, web: httpx.Client) -> None:
    aws("sesv2").send_email(**mail_to("alice@example.com"))
    aws("sesv2").send_email(**mail_to("bounce+carol@mail.sandbox.invalid"))

    page = web.get("/").text
    assert page.index("bounce+carol@mail.sandbox.invalid") < page.index("alice@example.com")
    assert 'class="chip bounced"' in page
    assert 'class="chip delivered"' in page
    assert "Dear Alice" in page
    assert "bounce+carol" not in web.get("/", params={"to": "Alice@example.com"}).text
    assert "<script" not in page


def test_inbox_turns_pages_when_there_is_more_than_one(aws: Client, web: httpx.Client) -> None:
    ses = aws("sesv2")
    for number in range(45):
        ses.send_email(**mail_to(f"alice+{number}@example.com"))

    first = web.get("/").text
    assert first.count('href="/mail/') == 40
    older = first.partition("/?before=")[2].partition('"')[0]
    assert web.get("/", params={"before": older}).text.count('href="/mail/') == 5


def test_mail_page_shows_everything_that_is_known_of_a_mail(aws: Client, web: httpx.Client) -> None:
    mail = mail_to("complaint@mail.sandbox.invalid")
    mail["Content"]["Simple"]["Subject"]["Data"] = NASTY
    mail["Content"]["Simple"]["Body"]["Html"]["Data"] = f"<p>Hi</p>{NASTY}"
    aws("sesv2").send_email(**mail)
    seq = web.get("/sandbox/messages").json()["messages"][0]["seq"]

    answer = web.get(f"/mail/{seq}")
    for expected in ("List-Unsubscribe", "Complaint", "m-1", "postilion", "&lt;script&gt;alert(1)"):
        assert expected in answer.text
    assert "<script" not in answer.text
    assert f'src="/mail/{seq}/html"' in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]

    html = web.get(f"/mail/{seq}/html")
    assert html.text == f"<p>Hi</p>{NASTY}"
    policy = html.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "default-src 'none'" in policy


def test_phone_shows_its_messages_in_order_when_it_got_some(aws: Client, web: httpx.Client) -> None:
    sms = aws("pinpoint-sms-voice-v2")
    for text in ("First", "Second 🙂"):
        sms.send_text_message(DestinationPhoneNumber="+491701234567", MessageBody=text)

    assert "+491701234567" in web.get("/phone").text
    page = web.get("/phone/%2B491701234567").text
    assert page.index("First") < page.index("Second 🙂")
    assert "1 part Unicode" in page


def test_behaviour_is_changed_when_the_form_is_sent(web: httpx.Client) -> None:
    form = {"throttle": "12.5", "paused": "on", "unverified": "a.example, B.example", "latency_ms": "40"}
    answer = web.post("/behaviour", data=form)

    assert answer.status_code == 303
    behaviour = web.get("/sandbox/behaviour").json()
    assert (behaviour["throttle"], behaviour["paused"], behaviour["latency_ms"]) == (0.125, True, 40)
    assert behaviour["unverified"] == ["a.example", "b.example"]
    page = web.get("/behaviour").text
    assert 'value="12.5"' in page
    assert "misbehaving on purpose" in page
    assert web.post("/behaviour", data={"throttle": "120"}).status_code == 400


def test_pages_are_friendly_when_there_is_nothing(web: httpx.Client) -> None:
    assert "No mail yet" in web.get("/").text
    assert "No SMS yet" in web.get("/phone").text
    missing = web.get("/mail/99999999999999999999999")
    assert missing.status_code == 404
    assert "There is no mail" in missing.text
