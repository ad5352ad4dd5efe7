"""Documents that fit a schema, drawn by hypothesis from the schema itself; names are few, so that they often meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from core.schema_files import Schema, get_schema, resolve

NAMES = ["hello", "a", "b", "vip", "lapsed", "news", "cross_sell", "picks", "cart", "x", "marketing", "points"]
TEXTS = [
    *NAMES, "signed_up", "cart_updated", "email.marketing", "{{ entry.total }}", "{{ steps.a.items }}",
    "{{ steps.b.event.x }}", "{{ nothing", "best_time", "https://shop.example/hook", "member_since", "total", "cart_id",
    "10:00", "", "é", "2026-03-29",
]  # fmt: skip
WRITTEN = {
    "a name": NAMES,
    "a template's name": [*NAMES, "nudge", "receipt", "untopical", "codes"],
    "a duration": ["30m", "2h", "24h", "1d", "7d", "1mo", "0s", "400d"],
    "an offset": ["3d", "-3d", "-1mo"],
    "a time": ["00:00", "02:30", "09:00", "21:00"],
    "a range of hours": ["08:00-20:00", "22:00-24:00", "21:00-06:00"],
    "a date and time": ["2026-03-29T02:30", "2026-06-01", "2026-06-01T09:00:00Z"],
    "a percentage": ["10%", "0%", "33.33%"],
    "a rate": ["50/s", "10/h"],
}
ZONES = ["UTC", "Europe/Berlin"]
_DEEPEST = 7


@st.composite
def documents(draw: DrawFn, kind: str) -> dict[str, Any]:
    """A document of `kind`. Rules that a schema cannot say (`x-check`) may still be broken."""
    document = _value(draw, get_schema(kind), 0)
    assert isinstance(document, dict)
    return document


def _value(draw: DrawFn, schema: Schema, depth: int) -> Any:
    shape = {**resolve(schema)}
    if shape.get("title") in WRITTEN and "anyOf" not in shape:
        return draw(st.sampled_from(WRITTEN[shape["title"]]))
    if shape.get("x-check") == "zone":
        return draw(st.sampled_from(ZONES))
    if "const" in shape:
        return shape["const"]
    if "enum" in shape:
        return draw(st.sampled_from(shape["enum"]))
    if ("anyOf" in shape and shape.get("type") != "object") or "x-choice" in shape:
        return _value(draw, _branch(draw, shape["anyOf"], depth), depth)
    kinds = shape.get("type", "string")
    one = kinds if isinstance(kinds, str) else draw(st.sampled_from(kinds))
    if one == "object":
        return _mapping(draw, shape, depth)
    if one == "array":
        most = min(shape.get("maxItems", 3), 3 if depth < _DEEPEST else 1)
        count = draw(st.integers(min(shape.get("minItems", 0), most), most))
        return [_value(draw, shape.get("items", {}), depth + 1) for _ in range(count)]
    return draw(_scalar(one, shape))


def _branch(draw: DrawFn, branches: list[Schema], depth: int) -> Schema:
    """Deep inside, one of those forms that hold no others."""
    if depth >= _DEEPEST:
        flat = [one for one in branches if not _holds_others(resolve(one))]
        branches = flat or branches
    return draw(st.sampled_from(branches))


def _holds_others(shape: Schema) -> bool:
    if shape.get("type") == "array":
        return True
    required = (shape.get("properties", {}).get(key, {}) for key in shape.get("required", ()))
    return any(
        one.get("$ref", "").endswith(("steps", "condition", "conditions")) or one.get("type") in ("array", "object")
        for one in required
    )


def _mapping(draw: DrawFn, shape: Schema, depth: int) -> dict[str, Any]:
    properties: Mapping[str, Schema] = shape.get("properties", {})
    required = list(shape.get("required", ()))
    optional = [key for key in properties if key not in required]
    chosen = draw(st.lists(st.sampled_from(optional), max_size=3, unique=True)) if optional and depth < _DEEPEST else []
    found = {key: _value(draw, properties[key], depth + 1) for key in [*required, *chosen]}
    others = shape.get("additionalProperties", {})
    least = shape.get("minProperties", 0)
    if isinstance(others, dict) and (not properties or others):
        names = _names(shape)
        extra = draw(
            st.lists(st.sampled_from(names), min_size=min(least, len(names)), max_size=max(least, 2), unique=True)
        )
        found.update({name: _value(draw, others, depth + 1) for name in extra if name not in properties})
    while len(found) < least and optional:
        key = draw(st.sampled_from([key for key in optional if key not in found]))
        found[key] = _value(draw, properties[key], depth + 1)
    return found


def _names(shape: Schema) -> list[str]:
    names = resolve(shape["propertyNames"]).get("enum") if "propertyNames" in shape else None
    return list(names or ["a", "b", "total", "cart_id", "points"])


def _scalar(kind: str, shape: Schema) -> SearchStrategy[Any]:
    low, high = shape.get("minimum", 0), shape.get("maximum", 100)
    return {
        "string": st.sampled_from(TEXTS),
        "integer": st.integers(int(low), int(high)),
        "number": st.integers(int(low) + ("exclusiveMinimum" in shape), int(high)) | st.just(12.5),
        "boolean": st.booleans(),
        "null": st.none(),
    }[kind]
