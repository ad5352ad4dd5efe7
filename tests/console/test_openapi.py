"""The description of the API names what the server has, and its examples work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.routing import Route

from console.app import create_app
from console.openapi import load_openapi
from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from tests.tracking.conftest import WORKSPACE_DOCUMENT, TestClient
from tests.tracking.server import KEY
from tracking.events.write_keys import create_write_key

DOCUMENT = load_openapi()
KINDS = {"writeKey": "secret", "secretKey": "secret", "readKey": "read"}
# No message, journey or product exists, and a report bears a signature that only Amazon can make.
NOTHING_THERE = {"getMessage": 404, "cancelMessage": 404, "getRelated": 404, "postMessage": 422, "postEntry": 404}


def _operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                yield method.upper(), path, {**operation, "parameters": parameters}


@pytest.fixture
def runtime(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(KEY, open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=WORKSPACE_DOCUMENT, source="", file="w", now=clock.now())
    yield Runtime(Settings(project=str(tmp_path), state=str(tmp_path / "state")), database, vault, clock)
    vault.close()


def test_every_route_under_v1_is_described_when_the_server_has_it(runtime: Runtime) -> None:
    served = {
        (method, re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path))
        for route in create_app(runtime).routes
        if isinstance(route, Route) and route.path.startswith(("/v1/", "/r/v1/"))
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in _operations()} == served


def test_every_reference_leads_somewhere_when_it_is_followed() -> None:
    def follow(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                target: Any = DOCUMENT
                for word in value["$ref"].removeprefix("#/").split("/"):
                    target = target[word]
            for inner in value.values():
                follow(inner)
        elif isinstance(value, list):
            for inner in value:
                follow(inner)

    follow(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = [operation["operationId"] for _, _, operation in _operations()]
    assert len(names) == len(set(names))


def test_examples_are_answered_as_described_when_they_are_sent(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        keys = {
            kind: create_write_key(connection, runtime.vault, kind=kind, name=kind, now=runtime.clock.now())
            for kind in ("secret", "read")
        }
    with TestClient(create_app(runtime), base_url="http://127.0.0.1") as client:
        assert client.get("/openapi.json").json()["openapi"] == "3.1.0"
        for method, path, operation in _operations():
            if operation["operationId"] == "postSesReport":
                continue
            headers: dict[str, str] = {}
            query: dict[str, str] = {}
            for one in operation["parameters"]:
                if one["in"] == "path":
                    path = path.replace(f"{{{one['name']}}}", str(one["example"]))
                elif "example" in one:
                    (headers if one["in"] == "header" else query)[one["name"]] = str(one["example"])
            for scheme in operation["security"]:
                (name,) = scheme
                headers["Authorization"] = f"Bearer {keys[KINDS[name]]}"
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = content.get("example")
            if body is not None:
                _check(body, content["schema"])
            answer = client.request(method, path, params=query, headers=headers, json=body)
            expected = NOTHING_THERE.get(operation["operationId"])
            good = {int(status) for status in operation["responses"] if status.startswith("2")}
            assert answer.status_code in ({expected} if expected else good), (method, path, answer.text)
            described = operation["responses"][str(answer.status_code)]
            if answer.status_code == 204:
                continue
            if "$ref" in described:
                described = DOCUMENT["components"]["responses"][described["$ref"].rsplit("/", 1)[1]]
            _check(answer.json(), described["content"]["application/json"]["schema"])


def _check(value: Any, schema: Mapping[str, Any]) -> None:
    jsonschema.validate(value, {**schema, "components": DOCUMENT["components"]}, jsonschema.Draft202012Validator)
