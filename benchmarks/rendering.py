"""How many mails one core renders: `make bench NAME=rendering`. The last line is one JSON object.

A mail of 35 KB with 28 links and the way out, 10 fields of its reader and 3 offers. Its links are written by the real
tracking with real keys, a MAC for each, so this does more than the one MAC a message that its bar asks for. Beside it
the same HTML rendered by bare Jinja in the same run, with nothing sandboxed and nothing tracked. `--profile` shows
where the time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Any

from jinja2 import Environment

from delivery.front_matter import parse_template
from delivery.templates import CompiledTemplate, Rendered, compile_template, render
from tracking.links import MessageLinks
from tracking.tokens import KeyRing

_MAILS = 2_000
_ROUNDS = 7
_PUBLIC_URL = "https://mail.shop.example"
_FIELDS = ("first_name", "last_name", "city", "tier", "points", "since", "branch", "favourite", "advisor", "code")
_STATIC_LINKS = 19  # with three in each of the three offers, 28
_TEXT = "Something to pour, something to plant, something to light when the garden finally goes quiet. "


def _template() -> str:
    fields = "".join(f"<mj-text>{name}: {{{{ profile.{name} }}}}</mj-text>" for name in _FIELDS)
    articles = "".join(
        f"<mj-text><h2>Number {number}</h2><p>{_TEXT * 8}</p>"
        f'<a href="https://shop.example/articles/{number}?from=letter&amp;week=23">Read on</a></mj-text>'
        for number in range(_STATIC_LINKS)
    )
    offer = (
        "{% for item in offers.cross_sell.items[:3] %}<mj-column>"
        '<mj-image href="{{ item.url }}" src="{{ item.image_url }}" alt="{{ item.name }}" />'
        '<mj-text><a href="{{ item.url }}">{{ item.name }}</a> {{ item.price | money(item.currency) }}</mj-text>'
        '<mj-button href="{{ item.url }}">Have a look</mj-button></mj-column>{% endfor %}'
    )
    foot = '<mj-text>{{ workspace.postal_address }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>'
    return (
        '---\ntemplate: letter\nchannel: email\nsubject: "Hello {{ profile.first_name }}"\npreheader: "For you"\n'
        f"topic: marketing\n---\n<mjml><mj-body><mj-section><mj-column>{fields}</mj-column></mj-section>"
        f"<mj-section><mj-column>{articles}</mj-column></mj-section><mj-section>{offer}</mj-section>"
        f"<mj-section><mj-column>{foot}</mj-column></mj-section></mj-body></mjml>\n"
    )


def _context(number: int) -> dict[str, Any]:
    items = [
        {
            "name": f"Teapot {sku}",
            "price": 2_450,
            "currency": "GBP",
            "url": f"https://shop.example/p/{number % 50}-{sku}?d=5f6c1c1e-4f0b-5c3e-9f6e-0c1f5b7a9d10",
            "image_url": f"https://shop.example/img/{sku}.jpg",
        }
        for sku in range(3)
    ]
    return {
        "profile": {name: f"{name} {number} & more" for name in _FIELDS},
        "offers": {"cross_sell": {"decision_id": "d", "items": items}},
        "items": items,
        "workspace": {"name": "Fern & Kettle", "postal_address": "1 Fern Row, Bath"},
    }


def _render(compiled: CompiledTemplate, key_ring: KeyRing, number: int) -> Rendered:
    links = MessageLinks(_PUBLIC_URL, key_ring, 1 << 60 | number, number)
    return render(compiled, {**_context(number), "links": links.urls()}, links.write_link)


def _per_second(work: Callable[[int], object], count: int) -> float:
    """Median over the rounds, of processor time, so that a busy machine counts less."""
    rates = []
    for _round in range(_ROUNDS):
        started = time.process_time()
        for number in range(count):
            work(number)
        rates.append(count / (time.process_time() - started))
    return statistics.median(rates)


def measure() -> dict[str, float]:
    """The figures, for whoever measures more than this."""
    compiled, key_ring = _compile()
    sample = _render(compiled, key_ring, 7)
    bare = Environment(autoescape=True).from_string(sample.html.replace("7 &amp; more", "{{ name }}"))
    return {
        "render_per_s_core": _per_second(lambda number: _render(compiled, key_ring, number), _MAILS),
        "bare_jinja_per_s_core": _per_second(lambda number: bare.render(name=f"{number} & more"), _MAILS),
        "html_kb": len(sample.html.encode()) / 1024,
        "links": sample.html.count('href="'),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="show the functions that take the time")
    if parser.parse_args().profile:
        compiled, key_ring = _compile()
        profiler = cProfile.Profile()
        profiler.runcall(lambda: [_render(compiled, key_ring, number) for number in range(_MAILS)])
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        return
    print(json.dumps({name: round(value, 1) for name, value in measure().items()}))


def _compile() -> tuple[CompiledTemplate, KeyRing]:
    source, faults = parse_template(_template(), "letter.mjml")
    assert source is not None, faults
    return compile_template(source), KeyRing.derive(lambda name, _version: name.encode().ljust(32), 1)


if __name__ == "__main__":
    main()
