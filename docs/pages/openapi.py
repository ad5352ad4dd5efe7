"""The reference of the API as one HTML page without script, from `schema/openapi.yaml`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from console.openapi import load_openapi

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f4f4f1;padding:.75rem;overflow:auto}code{font-size:.95em}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2rem .6rem;text-align:left}"
)


def render() -> str:
    document = load_openapi()
    info = document["info"]
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(info['title'])} API</title>\n<style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])} API</h1>\n<p>{escape(info['description'])}</p>",
        "<p>The same for programs: <code>GET /openapi.json</code>.</p>",
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2>\n<p>{escape(tag['description'])}</p>")
        parts += [_operation(document, *one) for one in _operations(document) if tag["name"] in one[2]["tags"]]
    parts.append("<h2>Schemas</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(f'<h3 id="{escape(name)}">{escape(name)}</h3>\n{_json(schema)}')
    return "\n".join(parts) + "\n</html>\n"


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method != "parameters":
                yield method, path, {**operation, "parameters": [*shared, *operation.get("parameters", [])]}


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    keys = [name for scheme in operation["security"] for name in scheme]
    schemes = document["components"]["securitySchemes"]
    parts = [
        f'<h3 id="{operation["operationId"]}"><code>{method.upper()} {escape(path)}</code></h3>',
        f"<p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>",
        *(f"<p>Key: {escape(schemes[name]['description'])}</p>" for name in keys),
    ]
    if operation["parameters"]:
        rows = "".join(
            f"<tr><td><code>{escape(one['name'])}</code></td><td>{one['in']}</td>"
            f"<td>{escape(one.get('description', ''))}</td></tr>"
            for one in operation["parameters"]
        )
        parts.append(f"<table><tr><th>parameter</th><th>in</th><th></th></tr>{rows}</table>")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in content:
        parts.append(_json(content["example"]))
    rows = "".join(
        f"<tr><td>{status}</td><td>{escape(_described(document, answer))}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return "\n".join([*parts, f"<table><tr><th>status</th><th>meaning</th></tr>{rows}</table>"])


def _described(document: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rsplit("/", 1)[1]]
    return str(answer["description"])


def _json(value: Any) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False), quote=False)}</pre>"
