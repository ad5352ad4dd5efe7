"""SARIF 2.1.0 as code hosts read it: rules with their help, and a region for each fault that stands in a text."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from console.checking.sarif import SCHEMA, write_sarif
from core.errors import Fault
from tests.journeys.checking.overlay import faults_of

FOLDER = Path(__file__).parents[1] / "golden" / "faults" / "meaning"
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_LEVEL = {"enum": ["error", "warning"]}
# The parts of the OASIS schema that we write, with what GitHub asks for beyond it.
SHAPE: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "$schema": {"const": SCHEMA},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"const": "unicodeCodePoints"},
                    "tool": {
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "rules"],
                                "properties": {"rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}}},
                            }
                        }
                    },
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
    "$defs": {
        "rule": {
            "type": "object",
            "required": ["id", "shortDescription", "fullDescription", "help", "defaultConfiguration"],
            "properties": {
                "id": {"pattern": "^[EW][0-9]{3}$"},
                "shortDescription": _TEXT,
                "fullDescription": _TEXT,
                "help": _TEXT,
                "defaultConfiguration": {"properties": {"level": _LEVEL}, "required": ["level"]},
            },
            "additionalProperties": False,
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "properties": {
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": _LEVEL,
                "message": _TEXT,
                "locations": {"type": "array", "minItems": 1, "maxItems": 1, "items": {"$ref": "#/$defs/location"}},
            },
        },
        "location": {
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation", "region"],
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "required": ["uri", "uriBaseId"],
                            "properties": {"uri": {"pattern": "^shop/[^ :\\\\]+$"}},
                        },
                        "region": {
                            "type": "object",
                            "required": ["startLine", "startColumn"],
                            "properties": {
                                name: {"type": "integer", "minimum": 1}
                                for name in ("startLine", "startColumn", "endColumn")
                            },
                            "additionalProperties": False,
                        },
                    },
                }
            },
            "required": ["physicalLocation"],
        },
    },
}


@pytest.mark.parametrize("name", ["E120_unknown_names", "E123_no_source", "E179_missing_asset", "W115_never"])
def test_each_fault_has_its_rule_and_its_region(name: str, tmp_path: Path) -> None:
    faults = faults_of((FOLDER / f"{name}.yaml").read_text(), tmp_path)
    document = write_sarif(faults, PurePosixPath("shop"))
    Draft202012Validator(SHAPE).validate(document)
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for fault, result in zip(faults, run["results"], strict=True):
        assert result["ruleId"] == rules[result["ruleIndex"]]["id"] == fault.code
        region = result["locations"][0]["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) == (fault.line, fault.column)
        if not fault.file.startswith("assets/"):
            assert region["endColumn"] == fault.end_column > fault.column


def test_a_place_can_be_followed_when_its_file_has_a_strange_name() -> None:
    document = write_sarif([Fault("journeys/für 50%.yaml", 1, 1, "E001", "this is not YAML", "", 3)], PurePosixPath())
    place = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "journeys/f%C3%BCr%2050%25.yaml"


def test_there_is_one_run_without_results_when_nothing_is_wrong() -> None:
    (run,) = write_sarif([], PurePosixPath())["runs"]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])
