"""Many mails in one call: what travels, how calls are packed, and each mail's own outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runtime import Runtime
from delivery.envelope import Composed, Envelope, MessageRow
from delivery.front_matter import parse_template
from delivery.pieces import Pieces
from delivery.providers.ses_bulk import MOST_BYTES, BulkSesTransport, bulk_request
from delivery.providers.transport import Accepted, Reaction, TransportError
from delivery.tables import MessageKind, MessageStatus
from delivery.templates import compile_template, render
from delivery.worker import DeliveryWorker
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.delivery.ledger_shop import NOW, add_person, compose, queue, row_of

LETTER = """\
---
template: letter
channel: email
subject: "Hello {{ profile.name }}"
topic: marketing
sender: letters
---
<mjml><mj-body><mj-section><mj-column>
  <mj-text>Dear {{ profile.name }}, \\ {% if profile.vip %}our best{% endif %} {% for x in entry.x %}[{{ x }}]{% endfor %}</mj-text>
  <mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""  # noqa: E501


@pytest.fixture(params=[True, False], ids=["escaping", "plain"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(escape_values=request.param)) as server:
        yield server


def mail(number: int, **changes: Any) -> Envelope:
    source, _ = parse_template(LETTER, "letter.mjml")
    assert source is not None
    context = {
        "profile": {"name": f'<{number}> & "Söhne" {{{{v1}}}}', "vip": changes.pop("vip", False)},
        "entry": {"x": changes.pop("x", [])},
        "links": {"unsubscribe": f"https://shop.example/u/{number}"},
    }
    rendered = render(compile_template(source), context, lambda _number, url: url or "https://shop.example/c")
    envelope = Envelope(
        f"m-{number}",
        "email",
        MessageKind.MARKETING,
        f"person{number}@people.example",
        f"lookup-{number}",
        "Shop <letters@shop.example>",
        rendered.text,
        subject=rendered.subject,
        html=rendered.html,
        pieces=rendered.pieces,
        text_pieces=rendered.text_pieces,
        headers={"List-Unsubscribe": f"<https://shop.example/u/{number}>"},
        tags={"mid": f"m-{number}"},
    )
    return replace(envelope, **changes)


def mails_at(url: str) -> list[dict[str, Any]]:
    with urlopen(f"{url}/sandbox/messages?after=0&limit=500", timeout=10) as answer:
        found: list[dict[str, Any]] = msgspec.json.decode(answer.read())["messages"]
    return found


def as_they_arrived(url: str) -> list[tuple[Any, ...]]:
    return [(one["tags"]["mid"], one["subject"], one["html"], one["text"]) for one in mails_at(url)]


def as_composed(envelopes: Sequence[Envelope]) -> list[tuple[str, str, str, str]]:
    return [(one.message_id, one.subject, one.html, one.text) for one in envelopes]


def test_mails_arrive_as_they_were_rendered_when_only_their_values_travel(sandbox: SandboxServer) -> None:
    envelopes = [mail(number) for number in range(12)]
    content = bulk_request(envelopes)["DefaultContent"]["Template"]["TemplateContent"]
    assert "{{{v0}}}" in content["Html"]
    assert "{{{t0}}}" in content["Text"]
    results = BulkSesTransport(region="eu-central-1", endpoint_url=sandbox.url).send_together(envelopes)
    assert [type(one) for one in results] == [Accepted] * 12
    assert as_they_arrived(sandbox.url) == as_composed(envelopes)
    headers = {one["tags"]["mid"]: one["headers"] for one in mails_at(sandbox.url)}
    assert {"name": "List-Unsubscribe", "value": "<https://shop.example/u/7>"} in headers["m-7"]


def test_mails_arrive_as_they_were_rendered_when_the_whole_html_is_the_value(sandbox: SandboxServer) -> None:
    envelopes = [mail(1), mail(2, vip=True), mail(3, x=["a", "{{b}}"]), mail(4, pieces=None)]
    assert bulk_request(envelopes)["DefaultContent"]["Template"]["TemplateContent"]["Html"] == "{{{html}}}"
    BulkSesTransport(region="eu-central-1", endpoint_url=sandbox.url).send_together(envelopes)
    assert as_they_arrived(sandbox.url) == as_composed(envelopes)


def test_the_whole_html_travels_when_the_templates_own_words_hold_braces() -> None:
    words = ("<p>{{ not ours", "x", "</p>")
    pieces = Pieces(words, {id(words[0]), id(words[2])})
    envelopes = [mail(number, html="".join(words), pieces=pieces) for number in range(12)]
    assert bulk_request(envelopes)["DefaultContent"]["Template"]["TemplateContent"]["Html"] == "{{{html}}}"


@given(st.lists(st.text('ab"\\\n\té😀', max_size=2_000), min_size=1, max_size=40), st.integers(1, 100))
def test_a_call_never_exceeds_what_ses_takes_however_mails_are_packed(texts: list[str], times: int) -> None:
    envelopes = [mail(number, html=text * times, pieces=None) for number, text in enumerate(texts)]
    transport = BulkSesTransport.__new__(BulkSesTransport)  # packing needs no connection
    count = transport.count_together(envelopes)
    assert 1 <= count <= len(envelopes)
    if count > 1:
        assert len(msgspec.json.encode(bulk_request(envelopes[:count]))) <= MOST_BYTES


def test_fifty_mails_go_together_when_their_values_are_small_and_only_those_with_one_outside() -> None:
    transport = BulkSesTransport.__new__(BulkSesTransport)
    assert transport.count_together([mail(number) for number in range(60)]) == 50
    others = [mail(1), mail(2), mail(3, reply_to="else@shop.example")]
    assert transport.count_together(others) == 2


class Counting(BulkSesTransport):
    """Keeps how many went in each call."""

    def __init__(self, *, region: str, endpoint_url: str) -> None:
        super().__init__(region=region, endpoint_url=endpoint_url)
        self.calls: list[int] = []

    def send_together(self, envelopes: Sequence[Envelope]) -> list[Accepted | TransportError]:
        self.calls.append(len(envelopes))
        return super().send_together(envelopes)


def test_each_mail_has_its_own_outcome_when_one_of_a_call_is_refused(runtime: Runtime) -> None:
    people = [add_person(runtime, f"person{number}") for number in range(6)]
    for number, person in enumerate(people):
        queue(runtime, person, f"m{number}")

    def one_is_bad(rows: Sequence[MessageRow], gathered: Any) -> list[Composed]:
        found = [one for one in compose(rows, gathered) if isinstance(one, Envelope)]
        return [replace(one, tags={"mid": "not a tag"}) if one.message_id == "m3" else one for one in found]

    with SandboxServer(SandboxOptions()) as server:
        transport = Counting(region="eu-central-1", endpoint_url=server.url)
        worker = DeliveryWorker(runtime, {"email": transport}, one_is_bad, name="w")
        try:
            counts = worker.deliver(NOW).counts
        finally:
            worker.close()
    assert dict(counts) == {"sent": 5, "failed": 1}
    assert (row_of(runtime, "m3").status, row_of(runtime, "m3").detail) == (MessageStatus.FAILED, "INVALID_PARAMETER")
    assert row_of(runtime, "m0").provider == "ses_bulk"
    assert transport.calls == [6]


def test_nobody_knows_of_any_when_the_answer_is_lost() -> None:
    with SandboxServer(SandboxOptions()) as server:
        request = Request(
            f"{server.url}/sandbox/behaviour",
            data=b'{"drop_reply": 1.0}',
            method="PUT",
            headers={"Content-Type": "application/json"},
        )
        urlopen(request, timeout=5).close()
        with pytest.raises(TransportError) as raised:
            BulkSesTransport(region="eu-central-1", endpoint_url=server.url).send_together([mail(1), mail(2)])
    assert raised.value.reaction is Reaction.UNKNOWN
