from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text

from core.clock import ManualClock
from core.runtime import Runtime
from customers.workspace import Workspace
from tests.tracking.conftest import BROWSER, SendMail, TestClient
from tracking.engagement import settle_engagement
from tracking.tables import engagement_event

PRIVATE = {"cache-control": "no-store, private", "referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


def _engagements(runtime: Runtime) -> list[Any]:
    with runtime.database.read() as connection:
        return list(connection.execute(select(engagement_event).order_by(engagement_event.c.id)))


def _without_writing(runtime: Runtime) -> None:
    """Take the table away that opens and clicks go into; reading still works."""
    with runtime.database.transaction() as connection:
        connection.execute(text("ALTER TABLE engagement_event RENAME TO engagement_event_away"))


def _with_writing(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(text("ALTER TABLE engagement_event_away RENAME TO engagement_event"))


def test_an_open_is_stored_when_the_pixel_is_fetched(client: TestClient, runtime: Runtime, send_mail: SendMail) -> None:
    mail = send_mail()
    answer = client.get(mail.path("pixel"))
    assert (answer.status_code, answer.headers["content-type"], len(answer.content)) == (200, "image/gif", 43)
    assert answer.content.startswith(b"GIF89a")
    assert {name: answer.headers[name] for name in PRIVATE} == PRIVATE
    assert "set-cookie" not in answer.headers
    (event,) = _engagements(runtime)
    assert (event.kind, event.message_id, event.profile_id, event.agent) == (
        "opened",
        mail.message_id,
        mail.profile_id,
        BROWSER,
    )


def test_the_picture_is_shown_and_nothing_stored_when_the_pixels_token_is_wrong(
    client: TestClient, runtime: Runtime, send_mail: SendMail
) -> None:
    mail = send_mail()
    click_token = mail.link(1).removeprefix("/c/")
    for token in ("x", click_token, mail.path("pixel")[3:-5] + "_", "%00%ff"):
        answer = client.get(f"/o/{token}.gif")
        assert (answer.status_code, len(answer.content)) == (200, 43)
    assert _engagements(runtime) == []


def test_a_click_leads_to_the_shop_when_its_token_is_ours(
    client: TestClient, runtime: Runtime, send_mail: SendMail
) -> None:
    mail = send_mail(own_links={"4": "https://shop.example/für/alice"})
    answer = client.get(mail.link(1))
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/tea?cup=1&pot=2")
    assert {name: answer.headers[name] for name in PRIVATE} == PRIVATE
    own = client.get(mail.link(4, "https://shop.example/für/alice"))
    assert own.headers["location"] == "https://shop.example/f%C3%BCr/alice"
    assert [(event.kind, event.link_no, event.link_tag) for event in _engagements(runtime)] == [
        ("clicked", 1, "tea"),
        ("clicked", 4, None),
    ]


def test_nobody_is_led_anywhere_when_the_clicks_token_is_wrong(
    client: TestClient, runtime: Runtime, send_mail: SendMail
) -> None:
    mail = send_mail()
    good = mail.link(1)
    for path in (good[:-1] + ("A" if good[-1] != "A" else "B"), good + "A", "/c/x", mail.link(9), good + "?u=//evil"):
        answer = client.get(path)
        if path.startswith(good + "?"):
            assert answer.headers["location"] == "https://shop.example/tea?cup=1&pot=2"
            continue
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert "location" not in answer.headers


def test_head_is_answered_and_does_not_count_when_a_scanner_asks(
    client: TestClient,
    runtime: Runtime,
    send_mail: SendMail,
    workspace: Workspace,
    clock: ManualClock,
    logged: Callable[..., list[Any]],
) -> None:
    mail = send_mail()
    assert (client.head(mail.path("pixel")).status_code, client.head(mail.link(1)).status_code) == (200, 302)
    assert client.head(mail.path("unsubscribe")).status_code == 200
    assert client.post(mail.link(1)).status_code == client.post(mail.path("pixel")).status_code == 405
    assert [(event.kind, event.human_probability) for event in _engagements(runtime)] == [("probed", 0.0)]
    clock.advance(timedelta(seconds=10))
    with runtime.database.transaction() as connection:
        settle_engagement(connection, runtime.vault, workspace, clock.now())
    assert logged() == []


def test_readers_get_on_and_calls_are_refused_when_the_store_fails(
    client: TestClient, runtime: Runtime, send_mail: SendMail, secret_key: str
) -> None:
    mail = send_mail()
    call = {"event": "Product Viewed", "userId": "alice", "messageId": "1"}
    _without_writing(runtime)
    try:
        assert client.get(mail.path("pixel")).status_code == 200
        assert client.get(mail.link(1)).status_code == 302
    finally:
        _with_writing(runtime)
    assert client.post("/v1/track", json=call, auth=(secret_key, "")).status_code == 200
    for _ in range(100):
        if len(_engagements(runtime)) == 2:
            break
        time.sleep(0.02)
    assert [event.kind for event in _engagements(runtime)] == ["opened", "clicked"]
    with runtime.database.transaction() as connection:
        connection.execute(text("ALTER TABLE event_key RENAME TO event_key_away"))
    refused = client.post("/v1/track", json={**call, "messageId": "2"}, auth=(secret_key, ""))
    with runtime.database.transaction() as connection:
        connection.execute(text("ALTER TABLE event_key_away RENAME TO event_key"))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert client.post("/v1/track", json={**call, "messageId": "2"}, auth=(secret_key, "")).status_code == 200


def test_a_message_is_shown_in_the_browser_when_its_token_is_ours(client: TestClient, send_mail: SendMail) -> None:
    mail = send_mail()
    answer = client.get(mail.path("view_in_browser"))
    assert (answer.status_code, answer.text) == (200, "<p>Hello</p>")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert client.get("/v/wrong").status_code == 404
