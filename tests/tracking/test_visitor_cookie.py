from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.tracking.conftest import Mail, TestClient
from tracking.visitor_cookie import MAX_AGE_S, NAME, read_cookie

Logged = Callable[..., list[Any]]
ORIGIN = {"Origin": "https://shop.example"}


def _post(client: TestClient, key: str, consent: Any = None, headers: dict[str, str] | None = None, **call: Any) -> Any:
    context = {} if consent is None else {"consent": consent}
    body = {"batch": [{"type": "track", "event": "Product Viewed", **call}], "writeKey": key, "context": context}
    return client.post("/v1/batch", json=body, headers=ORIGIN | (headers or {}))


def test_the_answer_sets_a_cookie_once_when_the_page_has_consent(
    client: TestClient, public_key: str, logged: Logged
) -> None:
    first = _post(client, public_key, {"analytics": True})
    name, _, rest = first.headers["set-cookie"].partition("=")
    value, *attributes = rest.split("; ")
    assert name == NAME
    assert len(value) == 22
    assert attributes == [f"Max-Age={MAX_AGE_S}", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"]
    second = _post(client, public_key, {"analytics": True}, {"Cookie": f"{NAME}={value}"}, messageId="2")
    assert "set-cookie" not in second.headers
    one, other = logged("product_viewed")
    assert one.profile_id == other.profile_id is not None


@pytest.mark.parametrize("consent", [{"analytics": False}, {"categoryPreferences": {"Analytics": False}}])
def test_events_are_counted_without_a_person_when_consent_is_refused(
    client: TestClient, public_key: str, logged: Logged, consent: Any
) -> None:
    held = {"Cookie": f"{NAME}={'x' * 22}"}
    answer = _post(client, public_key, consent, held, userId="alice", anonymousId="v1")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    (event,) = logged("product_viewed")
    assert (event.profile_id, event.visitor_id) == (None, None)


def test_there_is_no_person_and_no_cookie_when_the_browser_sends_sec_gpc(
    client: TestClient, public_key: str, logged: Logged
) -> None:
    answer = _post(client, public_key, {"analytics": True}, {"Sec-GPC": "1"}, userId="alice", anonymousId="v1")
    assert "set-cookie" not in answer.headers
    (event,) = logged("product_viewed")
    assert event.profile_id is None


def test_no_cookie_is_set_when_nobody_was_asked_or_the_page_is_unknown(client: TestClient, public_key: str) -> None:
    assert "set-cookie" not in _post(client, public_key, {"analytics": None}).headers
    assert "set-cookie" not in _post(client, public_key, anonymousId="v1").headers
    stranger = _post(client, public_key, {"analytics": True}, {"Origin": "https://evil.example"})
    assert "set-cookie" not in stranger.headers


def test_an_id_of_the_clients_own_goes_before_the_cookies(client: TestClient, public_key: str, logged: Logged) -> None:
    _post(client, public_key, {"analytics": True}, anonymousId="v1", messageId="1")
    _post(client, public_key, anonymousId="v1", messageId="2")
    one, other = logged("product_viewed")
    assert one.profile_id == other.profile_id is not None


def test_a_mails_picture_and_links_set_no_cookie(client: TestClient, send_mail: Callable[..., Mail]) -> None:
    mail = send_mail()
    for path in (mail.path("pixel"), mail.link(1)):
        assert "set-cookie" not in client.get(path, headers={"Cookie": f"{NAME}={'x' * 22}"}).headers


@pytest.mark.parametrize("header", ["", f"{NAME}=short", f"{NAME}={'é' * 22}", "a=b; ;;=", f"other={'x' * 22}"])
def test_a_cookie_is_passed_over_when_it_is_none_of_ours(header: str) -> None:
    assert read_cookie(header) is None


def test_the_cookie_goes_when_the_page_asks_to_be_forgotten(client: TestClient) -> None:
    gone = client.post("/v1/forget", headers=ORIGIN)
    assert (gone.status_code, gone.headers["access-control-allow-credentials"]) == (204, "true")
    assert gone.headers["set-cookie"].startswith(f"{NAME}=; Max-Age=0")
    assert client.post("/v1/forget", headers={"Origin": "https://evil.example"}).status_code == 403
