"""Whatever journey fits its schema, the checker answers with faults and no traceback, and the reader agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from console.checking.templates import check_templates
from console.project import load_project
from core.errors import Fault, has_errors
from core.located import Located, load_yaml
from core.schema_check import check_schema
from customers.workspace import parse_workspace
from journeys.check import Known, check_circles, check_journey
from journeys.definition import parse_journey, read_journey
from journeys.model import Journey
from tests.journeys.checking.generated import NAMES, documents

SHOP = Path(__file__).parent / "shop"


def known_of_the_shop() -> Known:
    project = load_project(SHOP)
    assert project.workspace is not None
    workspace = parse_workspace(project.workspace.document)
    templates, compiled, faults = check_templates(project, workspace)
    assert not faults
    return Known(
        segments=project.slugs("segment"),
        lists=project.slugs("list"),
        offers=project.slugs("offer"),
        journeys=frozenset(NAMES),
        templates={name: one.channel for name, one in templates.items()},
        workspace=workspace,
        contents=compiled,
    )


KNOWN = known_of_the_shop()


def read(document: dict[str, Any]) -> tuple[Located, Journey, list[Fault]]:
    located, faults = load_yaml(json.dumps(document).encode(), "x.yaml")
    assert located is not None
    assert not faults
    assume(not has_errors(check_schema(located, "journey")))
    journey, found = parse_journey(located, "x.yaml")
    assert journey is not None
    return located, journey, found


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(documents("journey"), st.none() | documents("journey"))
def test_faults_and_no_traceback_when_any_document_fits_the_schema(
    document: dict[str, Any], earlier: dict[str, Any] | None
) -> None:
    located, journey, found = read(document)
    before = read(earlier)[1] if earlier is not None else None
    faults = [*found, *check_journey(journey, located, KNOWN, before)]
    assert check_journey(journey, located, KNOWN, before) == check_journey(journey, located, KNOWN, before)
    assert all(fault.line >= 1 and fault.column >= 1 and fault.message for fault in faults)
    check_circles({journey.slug: (journey, located)})
    if not has_errors(faults):
        again, wrong = read_journey(document, lambda code, *_args, **_words: Fault("x.yaml", 1, 1, code, ""))
        assert not has_errors(wrong)
        assert again == journey


@pytest.mark.parametrize("name", sorted(path.stem for path in (SHOP / "templates").iterdir()))
def test_every_template_of_the_shop_is_known(name: str) -> None:
    assert name in KNOWN.contents
